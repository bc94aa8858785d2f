// SPDX-License-Identifier: Apache-2.0
// embed_life SECONDS LIBPYTHON...: the life of a program that loads libpythons by dlopen(). It
// burns SECONDS of CPU in each of: before_python() (all are loaded, none is initialised), then for
// each library, all at once in threads of their own, python_N() of a script; beside_python() and
// then in_c_thread() in a thread that C made, at_exit() during finalisation, and last
// after_python().
#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

static double seconds;
static volatile unsigned long work_done;

static double cpu_clock() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

#define BURNER(name)                                                   \
  extern "C" __attribute__((noinline)) void name() {                   \
    for (const double end = cpu_clock() + seconds; cpu_clock() < end;) \
      for (int i = 0; i < 1000; ++i)                                   \
        work_done = work_done + 1;                                     \
  }
BURNER(before_python)
BURNER(beside_python)
BURNER(after_python)

struct Python {
  void* library = nullptr;
  int number = 0;
  void* main_state = nullptr;
  template <typename Function>
  Function symbol(const char* name) const {
    void* found = dlsym(library, name);
    if (found == nullptr) {
      std::fprintf(stderr, "no %s\n", name);
      std::exit(2);
    }
    return reinterpret_cast<Function>(found);
  }
  void run(const std::string& text) const {
    if (symbol<int (*)(const char*)>("PyRun_SimpleString")(text.c_str()) != 0) std::exit(3);
  }
};

static std::string script(int number) {
  const std::string n = std::to_string(number), s = std::to_string(seconds);
  return "import time, atexit\n"
         "clock = getattr(time, 'thread_time', getattr(time, 'clock', None))\n"
         "def burn():\n"
         "    end = clock() + " +
         s +
         "\n"
         "    while clock() < end:\n"
         "        for _ in range(500): pass\n"
         "def python_" +
         n +
         "(): burn()\n"
         "def in_c_thread_" +
         n +
         "(): burn()\n"
         "def at_exit_" +
         n +
         "(): burn()\n"
         "atexit.register(at_exit_" +
         n +
         ")\n"
         "python_" +
         n + "()\n";
}

static void* c_thread(void* argument) {
  const auto& python = *static_cast<Python*>(argument);
  beside_python();
  const int state = python.symbol<int (*)()>("PyGILState_Ensure")();
  python.run("in_c_thread_" + std::to_string(python.number) + "()\n");
  python.symbol<void (*)(int)>("PyGILState_Release")(state);
  beside_python();
  return nullptr;
}

static void* life(void* argument) {
  auto& python = *static_cast<Python*>(argument);
  python.symbol<void (*)(int)>("Py_InitializeEx")(0);
  python.run(script(python.number));
  void* state = python.symbol<void* (*)()>("PyEval_SaveThread")();
  pthread_t thread;
  pthread_create(&thread, nullptr, c_thread, argument);
  pthread_join(thread, nullptr);
  python.symbol<void (*)(void*)>("PyEval_RestoreThread")(state);
  python.symbol<void (*)()>("Py_Finalize")();
  return nullptr;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  seconds = std::atof(argv[1]);
  std::vector<Python> pythons(static_cast<std::size_t>(argc - 2));
  for (int i = 2; i < argc; ++i) {
    Python& python = pythons[static_cast<std::size_t>(i - 2)];
    python.number = i - 2;
    python.library = dlopen(argv[i], RTLD_NOW | (argc == 3 ? RTLD_GLOBAL : RTLD_LOCAL));
    if (python.library == nullptr) {
      std::fprintf(stderr, "%s\n", dlerror());
      return 2;
    }
  }
  std::puts("ready");
  std::fflush(stdout);
  std::getchar();
  before_python();
  std::vector<pthread_t> threads(pythons.size());
  for (std::size_t i = 0; i < pythons.size(); ++i)
    pthread_create(&threads[i], nullptr, life, &pythons[i]);
  for (const pthread_t thread : threads)
    pthread_join(thread, nullptr);
  after_python();
}
