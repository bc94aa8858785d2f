// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>

#include "tests/bpf/host/fake_kernel.h"
#include "tests/bpf/host/reader.h"
#include "userspace/probe/decode.h"

// Life of processes as the kernel side keeps it.
namespace pyprof::bpftest {
namespace {

using model::ProcessEvent;

class ProcessEventTest : public ::testing::Test {
 protected:
  void SetUp() override {
    kernel_.reset();
    parent_.tgid = parent_.tid = 500;
    parent_.start_ns = 1111;
    parent_.exec_id = 3;
    parent_.stack_top = 0x7ffc0000;
    child_ = parent_;
    child_.tgid = child_.tid = 501;
    child_.start_ns = 2222;
    tables_.proc = host_generation_of(&parent_);
    tables_.map_gen = 9;
    tables_.map_count = 4;
    kernel_.put("procs", parent_.tgid, tables_);
  }

  [[nodiscard]] const wire_process* tables_of(const host_task& task) {
    return static_cast<const wire_process*>(kernel_.element("procs", &task.tgid));
  }
  // The only event since the last call; nullopt if there are none or more.
  std::optional<ProcessEvent> event() {
    const auto records = kernel_.take_records();
    if (records.size() != 1) return std::nullopt;
    return probe::Decoder().decode_process(bytes_of(records[0]));
  }

  FakeKernel& kernel_ = FakeKernel::get();
  host_task parent_{}, child_{};
  wire_process tables_{};
};

TEST_F(ProcessEventTest, fork_gives_the_child_the_parents_tables) {
  host_fork(&parent_, &child_);
  const wire_process* copy = tables_of(child_);
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(copy->proc, host_generation_of(&child_));
  EXPECT_EQ(copy->map_gen, tables_.map_gen);
  EXPECT_EQ(copy->map_count, tables_.map_count);
  const auto said = event();
  ASSERT_TRUE(said);
  EXPECT_EQ(said->kind, ProcessEvent::Kind::kFork);
  EXPECT_EQ(said->pid, 501);
  EXPECT_EQ(said->parent_pid, 500);
  EXPECT_EQ(said->process, copy->proc);
  EXPECT_EQ(said->parent_process, tables_.proc);
  EXPECT_EQ(said->namespace_pid, 501 + HOST_NAMESPACE_SHIFT);
  EXPECT_EQ(said->start_ns, 2222U);
}

TEST_F(ProcessEventTest, fork_copies_nothing_of_an_image_that_is_gone) {
  host_exec(&parent_);
  kernel_.put("procs", parent_.tgid, tables_);  // userspace was late
  parent_.exec_id++;
  child_.exec_id++;
  host_fork(&parent_, &child_);
  EXPECT_EQ(tables_of(child_), nullptr);
}

TEST_F(ProcessEventTest, new_thread_is_no_event) {
  child_.tgid = parent_.tgid;
  host_fork(&parent_, &child_);
  EXPECT_TRUE(kernel_.take_records().empty());
}

TEST_F(ProcessEventTest, exec_drops_the_tables_and_changes_the_generation) {
  parent_.exec_id++;
  host_exec(&parent_);
  EXPECT_EQ(tables_of(parent_), nullptr);
  const auto said = event();
  ASSERT_TRUE(said);
  EXPECT_EQ(said->kind, ProcessEvent::Kind::kExec);
  EXPECT_NE(said->process, tables_.proc);
  EXPECT_EQ(said->exec_id, 4U);
  EXPECT_EQ(said->stack_top, 0x7ffc0000U);
  EXPECT_EQ(said->comm, "host_test");
}

TEST_F(ProcessEventTest, exit_of_the_last_thread_drops_the_tables) {
  parent_.live_threads = 1;
  host_exit(&parent_);
  EXPECT_NE(tables_of(parent_), nullptr);
  EXPECT_TRUE(kernel_.take_records().empty());
  parent_.live_threads = 0;
  host_exit(&parent_);
  EXPECT_EQ(tables_of(parent_), nullptr);
  ASSERT_EQ(event()->kind, ProcessEvent::Kind::kExit);
}

TEST_F(ProcessEventTest, full_ring_is_counted) {
  kernel_.fail_ring_always(true);
  host_exec(&parent_);
  host_exit(&parent_);
  EXPECT_EQ(kernel_.counters().faults[WIRE_FAULT_LOST_PROC], 2U);
}

TEST_F(ProcessEventTest, full_table_is_counted) {
  wire_process filler{};
  for (uint32_t pid = 1000; kernel_.size("procs") < 16384; ++pid)
    kernel_.put("procs", pid, filler);
  host_fork(&parent_, &child_);
  EXPECT_EQ(kernel_.counters().faults[WIRE_FAULT_PROC_TABLE_FULL], 1U);
}

}  // namespace
}  // namespace pyprof::bpftest
