// SPDX-License-Identifier: Apache-2.0
// native_rec DEPTH SECONDS: DEPTH frames that alternate between this program and a shared library
// (built from the same file with -DSTEP_LIBRARY), burning CPU at the bottom. Built without frame
// pointers.
#include <cstdint>

extern "C" {
struct Step;
using StepFunction = uint64_t (*)(int depth, double seconds, const Step* next);
struct Step {
  StepFunction call;
};
uint64_t library_step(int depth, double seconds, const Step* next);
}

#ifdef STEP_LIBRARY

extern "C" [[gnu::noinline]] uint64_t library_step(int depth, double seconds, const Step* next) {
  // The addition after the call keeps it from becoming a jump.
  return next->call(depth - 1, seconds, next) + static_cast<uint64_t>(depth);
}

#else

#include <cstdio>
#include <cstdlib>
#include <ctime>

static double thread_cpu_s() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

extern "C" [[gnu::noinline]] uint64_t burn_bottom(double seconds) {
  volatile uint64_t spins = 0;
  const double end = thread_cpu_s() + seconds;
  while (thread_cpu_s() < end) {
    for (int i = 0; i < 100000; ++i)
      spins = spins + 1;
  }
  return spins;
}

extern "C" [[gnu::noinline]] uint64_t program_step(int depth, double seconds, const Step* next) {
  if (depth <= 1) return burn_bottom(seconds) + 1;
  return library_step(depth - 1, seconds, next) + static_cast<uint64_t>(depth);
}

int main(int argc, char** argv) {
  const int depth = argc > 1 ? std::atoi(argv[1]) : 60;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 3.0;
  std::puts("ready");
  std::fflush(stdout);
  const Step step{program_step};
  const uint64_t result = program_step(depth, seconds, &step);
  std::printf("%llu\n", static_cast<unsigned long long>(result));
  return 0;
}

#endif
