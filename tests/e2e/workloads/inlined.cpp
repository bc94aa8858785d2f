// SPDX-License-Identifier: Apache-2.0
// Burns CPU in a function that the compiler is made to inline twice over:  inlined SECONDS
// Says "ready" first. The lines with a mark are looked for by the tests.
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

volatile unsigned sink;

#define SPIN           \
  while (sink < count) \
  sink = sink + 1

inline __attribute__((always_inline)) void innermost(unsigned count) {
  SPIN;  // mark: innermost
}

inline __attribute__((always_inline)) void middle(unsigned count) {
  innermost(count);  // mark: middle
}

__attribute__((noinline)) void outer(unsigned count) {
  middle(count);  // mark: outer
  sink = 0;
}

}  // namespace

int main(int, char** argv) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(std::atoi(argv[1]));
  std::puts("ready");
  std::fflush(stdout);
  while (Clock::now() < end) {
    outer(1'000'000);  // mark: main
  }
}
