// SPDX-License-Identifier: Apache-2.0
#include "userspace/account/window.h"

#include <gtest/gtest.h>

namespace pyprof::account {
namespace {

CpuDelta delta_of(int32_t pid, int32_t tid, uint64_t ns, const std::string& comm = "w") {
  return {static_cast<model::ProcessId>(pid), pid, tid, 1, ns, comm};
}

TEST(WindowTotalsTest, counts_only_what_happens_while_open) {
  WindowTotals windows;
  windows.add(delta_of(1, 1, 5));
  const auto id = windows.open({});
  ASSERT_TRUE(id);
  windows.add(delta_of(1, 1, 10));
  windows.add(delta_of(1, 2, 20));
  windows.add(delta_of(1, 1, 3, "renamed"));
  const WindowCpu cpu = windows.close(*id);
  ASSERT_EQ(cpu.threads.size(), 2u);
  EXPECT_EQ(cpu.threads[0].ns, 13u);
  EXPECT_EQ(cpu.threads[0].comm, "renamed");
  EXPECT_EQ(cpu.threads[1].tid, 2);
  EXPECT_EQ(cpu.total_ns, 33u);
  EXPECT_EQ(windows.close(*id).threads.size(), 0u);
}

TEST(WindowTotalsTest, overlapping_windows_each_see_their_processes) {
  WindowTotals windows;
  const auto all = windows.open({});
  const auto one = windows.open({7});
  windows.add(delta_of(7, 7, 1));
  windows.add(delta_of(8, 8, 2));
  EXPECT_EQ(windows.close(*one).total_ns, 1u);
  windows.add(delta_of(7, 7, 4));
  EXPECT_EQ(windows.close(*all).total_ns, 7u);
}

TEST(WindowTotalsTest, threads_over_the_limit_are_counted_in_the_total) {
  WindowTotals windows(2, 1);
  const auto id = windows.open({});
  EXPECT_FALSE(windows.open({}));
  for (int32_t tid = 1; tid <= 5; ++tid)
    windows.add(delta_of(1, tid, 10));
  windows.add(delta_of(1, 1, 1));
  const WindowCpu cpu = windows.close(*id);
  EXPECT_EQ(cpu.threads.size(), 2u);
  EXPECT_EQ(cpu.total_ns, 51u);
  EXPECT_EQ(cpu.over_limit_ns, 30u);
  EXPECT_TRUE(windows.open({}));
}

}  // namespace
}  // namespace pyprof::account
