// SPDX-License-Identifier: Apache-2.0
// main -> outer -> middle -> leaf through templates and std::function; leaf computes, then throws
// through all of it.
#include <cstdint>
#include <cstdio>
#include <functional>
#include <stdexcept>

volatile uint64_t sum;

[[gnu::noinline]] uint64_t leaf(uint64_t n) {
  for (uint64_t i = 0; i < n; i++)
    sum = sum + i * i;
  if (n != 0) throw std::runtime_error("deep");
  return sum;
}

template <int N>
struct Level {
  template <typename Call>
  [[gnu::noinline]] static uint64_t middle(const Call& call, uint64_t n) {
    struct Guard {
      ~Guard() { sum = sum + 1; }
    } guard;
    return Level<N - 1>::template middle<std::function<uint64_t(uint64_t)>>(
               [&](uint64_t m) { return call(m) + N; }, n) +
           1;
  }
};
template <>
struct Level<0> {
  template <typename Call>
  [[gnu::noinline]] static uint64_t middle(const Call& call, uint64_t n) {
    return call(n) + 1;
  }
};

[[gnu::noinline]] uint64_t outer() {
  try {
    return Level<12>::middle(leaf, 100000) + 1;
  } catch (const std::exception&) {
    return sum;
  }
}

int main() {
  std::puts("ready");
  std::fflush(stdout);
  for (;;)
    sum = sum + outer();
}
