// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/bpf/host/fake_kernel.h"

// CPU time charged at context switches.
namespace pyprof::bpftest {
namespace {

constexpr uint64_t kMsNs = 1'000'000;

class CpuTimeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    kernel_.reset();
    first_ = task(700, 100 * kMsNs);
    second_ = task(800, 900 * kMsNs);
  }

  static host_task task(uint32_t id, uint64_t run_ns) {
    host_task made{};
    made.tgid = made.tid = id;
    made.start_ns = id * 10;
    made.run_ns = run_ns;
    return made;
  }
  // A task runs for this long and gives way to the next.
  void run(host_task& running, uint64_t ns, const host_task& next) {
    running.run_ns += ns;
    host_switch(&running, &next);
  }
  uint64_t charged(const host_task& task, const char* table = "cpu_time_a") {
    const wire_cpu_key key{host_generation_of(&task), task.tid, task.tgid};
    const auto* time = static_cast<const wire_cpu_time*>(kernel_.element(table, &key));
    return time == nullptr ? 0 : time->ns;
  }

  FakeKernel& kernel_ = FakeKernel::get();
  host_task idle_{}, first_{}, second_{};
};

TEST_F(CpuTimeTest, each_thread_is_charged_what_it_ran) {
  host_switch(&idle_, &first_);
  run(first_, 5 * kMsNs, second_);
  run(second_, 7 * kMsNs, first_);
  run(first_, 2 * kMsNs, idle_);
  host_switch(&idle_, &second_);
  run(second_, kMsNs, idle_);
  EXPECT_EQ(charged(first_), 7 * kMsNs);
  EXPECT_EQ(charged(second_), 8 * kMsNs);
  EXPECT_EQ(kernel_.size("cpu_time_a"), 2U) << "idle is no one";
  EXPECT_EQ(kernel_.counters().switches, 6U);
}

TEST_F(CpuTimeTest, time_before_the_first_switch_seen_is_not_charged) {
  run(first_, 50 * kMsNs, second_);
  EXPECT_EQ(charged(first_), 0U);
}

TEST_F(CpuTimeTest, accounting_tick_charges_a_thread_that_does_not_switch) {
  host_switch(&idle_, &first_);
  first_.run_ns += 30 * kMsNs;
  host_account_tick(&first_);
  EXPECT_EQ(charged(first_), 30 * kMsNs);
  run(first_, 4 * kMsNs, idle_);
  EXPECT_EQ(charged(first_), 34 * kMsNs);
}

TEST_F(CpuTimeTest, accounting_tick_starts_with_a_thread_that_was_running_already) {
  host_account_tick(&first_);
  run(first_, 4 * kMsNs, idle_);
  EXPECT_EQ(charged(first_), 4 * kMsNs);
}

TEST_F(CpuTimeTest, other_table_is_written_after_a_swap) {
  host_switch(&idle_, &first_);
  run(first_, 3 * kMsNs, second_);
  kernel_.slot<Control>("controls", 0)->cpu_table = 1;
  run(second_, 6 * kMsNs, first_);
  run(first_, 9 * kMsNs, idle_);
  EXPECT_EQ(charged(first_), 3 * kMsNs);
  EXPECT_EQ(charged(first_, "cpu_time_b"), 9 * kMsNs);
  EXPECT_EQ(charged(second_, "cpu_time_b"), 6 * kMsNs);
}

TEST_F(CpuTimeTest, full_table_charges_no_one_and_loses_nothing) {
  const wire_cpu_time filler{};
  for (uint32_t tid = 10000; kernel_.size("cpu_time_a") < 16384; ++tid)
    kernel_.put("cpu_time_a", wire_cpu_key{1, tid, tid}, filler);
  host_switch(&idle_, &first_);
  run(first_, 5 * kMsNs, idle_);
  EXPECT_EQ(kernel_.counters().cpu_unattributed_ns, 5 * kMsNs);
  EXPECT_EQ(kernel_.counters().faults[WIRE_FAULT_CPU_TABLE_FULL], 1U);
}

}  // namespace
}  // namespace pyprof::bpftest
