// SPDX-License-Identifier: Apache-2.0
// A library that says it is a CPython and isn't, and (without PRETEND) the program that loads it
// and burns CPU for argv[2] seconds in a function of each. PRETEND is a PY_VERSION_HEX; from 3.13
// on with offsets that point anywhere.
#ifdef PRETEND
#include <cstdint>
#include <cstring>

extern "C" {
extern const unsigned long Py_Version;
const unsigned long Py_Version = PRETEND;
__attribute__((section(".PyRuntime")))
uint64_t _PyRuntime[1024] = {0x7970677562656478, PRETEND, 0, 0x5555, 0xfff8, 0x7fff};
void* PyInterpreterState_Head() {
  return _PyRuntime;
}
int PyCode_Type[128];
// Looks like a thread with a key that is set: the state then lies wherever the key's value points.
__attribute__((noinline)) void _PyEval_EvalFrameDefault(volatile unsigned long* work) {
  for (int i = 0; i < 1000; ++i)
    *work = *work + 1;
}
void pretend(const volatile bool* go, volatile unsigned long* work) {
  for (unsigned i = PRETEND < 0x030d0000 ? 0 : 200; i < 1024; ++i)
    _PyRuntime[i] = reinterpret_cast<uint64_t>(_PyRuntime + i % 64);
  while (*go)
    _PyEval_EvalFrameDefault(work);
}
}
#else
#include <dlfcn.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) return std::fprintf(stderr, "%s\n", dlerror()), 2;
  auto* pretend = reinterpret_cast<void (*)(const volatile bool*, volatile unsigned long*)>(
      dlsym(library, "pretend"));
  volatile bool go = true;
  volatile unsigned long work = 0;
  std::puts("ready");
  std::fflush(stdout);
  std::thread stopper([&] {
    std::this_thread::sleep_for(
        std::chrono::milliseconds(static_cast<int>(1000 * std::atof(argv[2]))));
    go = false;
  });
  pretend(&go, &work);
  stopper.join();
}
#endif
