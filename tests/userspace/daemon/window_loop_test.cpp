// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/window_loop.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/userspace/daemon/fake_engine.h"
#include "userspace/base/clock.h"

namespace pyprof::daemon {
namespace {

using testing::FakeEngine;

TEST(WindowLoopTest, stop_flushes_the_window_that_is_open) {
  const auto engine = FakeEngine::make();
  FakeEngine::idle = false;
  config::Config config;
  config.daemon.window_seconds = 3600;
  const uint64_t begin_ns = monotonic_ns();
  WindowLoop loop(*engine, config);
  EXPECT_EQ(loop.sums().samples, 0U);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  loop.stop();
  EXPECT_LT(monotonic_ns() - begin_ns, 2'000'000'000U);
  const WindowSums sums = loop.sums();
  EXPECT_EQ(sums.samples, 40U);
  EXPECT_EQ(sums.truncated, 5U);
  EXPECT_EQ(sums.truncated_native, 4U);
  EXPECT_EQ(sums.truncated_python, 1U);
}

TEST(WindowLoopTest, takes_a_new_rate_from_the_next_window_on) {
  const auto engine = FakeEngine::make();
  config::Config config;
  config.daemon.window_seconds = 1;
  WindowLoop loop(*engine, config);
  const int before = FakeEngine::snapshots;
  config.sampling.rate_hz = 49;
  loop.reconfigure(config);
  while (FakeEngine::snapshots < before + 1)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(FakeEngine::last_rate_hz, 49U);
}

}  // namespace
}  // namespace pyprof::daemon
