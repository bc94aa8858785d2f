// SPDX-License-Identifier: Apache-2.0
// dl SECONDS LIBRARY_A LIBRARY_B: loads, runs and unloads the two libraries in turn, so that one
// address range belongs to two files. Each library has a function burn_a or burn_b (built with
// -DDL_BURN=burn_a). Prints the thread CPU spent in each, and in how many turns both were loaded at
// the same address.
#include <ctime>

static double thread_cpu_s() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

#ifdef DL_BURN

extern "C" [[gnu::noinline]] double DL_BURN(double seconds) {
  const double begin = thread_cpu_s();
  volatile unsigned spins = 0;
  while (thread_cpu_s() < begin + seconds) {
    for (int i = 0; i < 20000; ++i)
      spins = spins + 1;
  }
  return thread_cpu_s() - begin;
}

#else

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

struct Turn {
  double cpu_s;
  void* address;
};

static Turn run(const char* path, const char* name) {
  void* library = dlopen(path, RTLD_NOW);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(1);
  }
  void* symbol = dlsym(library, name);
  const double cpu_s = reinterpret_cast<double (*)(double)>(symbol)(0.15);
  dlclose(library);
  return {cpu_s, symbol};
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  std::puts("ready");
  std::fflush(stdout);
  double a_s = 0, b_s = 0;
  int same = 0, turns = 0;
  const double end = thread_cpu_s() + std::atof(argv[1]);
  while (thread_cpu_s() < end) {
    const Turn a = run(argv[2], "burn_a");
    const Turn b = run(argv[3], "burn_b");
    a_s += a.cpu_s;
    b_s += b.cpu_s;
    same += a.address == b.address ? 1 : 0;
    ++turns;
  }
  std::printf("{\"a_s\": %f, \"b_s\": %f, \"turns\": %d, \"same_address\": %d}\n", a_s, b_s, turns,
              same);
  return 0;
}

#endif
