// SPDX-License-Identifier: Apache-2.0
// bench-fleet SHARE [FILE]: computes for that share of the time, 20 frames deep, and sleeps else,
// with FILE mapped as if its code were to be run. As big as programs usually are: 1,000 functions
// that are never called.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

#include <cstdlib>
#include <utility>

namespace {

volatile unsigned sink;

template <int N>
[[gnu::noinline, gnu::used]] unsigned unused(unsigned a, unsigned b) {
  unsigned values[N % 7 + 2] = {a, b};
  for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); ++i) {
    sink = sink + values[i] * N;
    if (sink == a + N) std::abort();
  }
  return sink;
}

template <int... N>
[[gnu::noinline]] void keep(std::integer_sequence<int, N...>) {
  static unsigned (*volatile functions[])(unsigned, unsigned) = {unused<N>...};
  sink = functions[0] != nullptr;
}

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

void map_code(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat facts {};
  if (fd < 0 || fstat(fd, &facts) != 0) std::abort();
  mmap(nullptr, static_cast<std::size_t>(facts.st_size), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
}

[[gnu::noinline]] void work(int depth, double seconds) {
  if (depth > 0) {
    work(depth - 1, seconds);
    sink = sink + 1;
    return;
  }
  for (const double end = now() + seconds; now() < end;)
    sink = sink + 1;
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a bench that was killed leaves none behind
  constexpr double kPeriod = 0.5;
  constexpr int kFunctions = 1'000;
  keep(std::make_integer_sequence<int, kFunctions>{});
  if (argc > 2) map_code(argv[2]);
  const double share = argc > 1 ? std::atof(argv[1]) : 1;
  while (true) {
    work(20, kPeriod * share);
    const double rest = kPeriod * (1 - share);
    const timespec pause{0, static_cast<long>(rest * 1e9)};
    nanosleep(&pause, nullptr);
  }
}
