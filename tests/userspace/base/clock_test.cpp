// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/clock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>

namespace pyprof {
namespace {

TEST(ClockTest, monotonic_does_not_go_back) {
  const uint64_t first = monotonic_ns();
  EXPECT_GE(monotonic_ns(), first);
}

TEST(ClockTest, boottime_agrees_with_proc_uptime) {
  double uptime_seconds = 0;
  std::ifstream("/proc/uptime") >> uptime_seconds;
  EXPECT_NEAR(static_cast<double>(boottime_ns()) / 1e9, uptime_seconds, 1.0);
}

TEST(ClockTest, realtime_agrees_with_the_system_clock) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const int64_t expected = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  EXPECT_LT(std::llabs(realtime_ns() - expected), 1'000'000'000);
}

}  // namespace
}  // namespace pyprof
