// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/tracker.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "bpf/wire.h"
#include "tests/userspace/process/live_process.h"

namespace pyprof::process {
namespace {

using Event = model::ProcessEvent;
using Kind = model::ProcessEvent::Kind;
using Ids = std::vector<model::ProcessId>;

constexpr uint64_t kSecond = 1'000'000'000;

Event event(Kind kind, uint64_t time_ns, int32_t pid, model::ProcessId process = 0) {
  Event e;
  e.kind = kind;
  e.time_ns = time_ns;
  e.pid = pid;
  e.tid = pid;
  e.process = process;
  e.namespace_pid = pid;
  return e;
}

Event fork_event(uint64_t time_ns, int32_t pid, model::ProcessId process, int32_t parent_pid,
                 model::ProcessId parent) {
  auto e = event(Kind::kFork, time_ns, pid, process);
  e.parent_pid = parent_pid;
  e.parent_process = parent;
  return e;
}

Event map_event(uint64_t time_ns, int32_t pid, uint64_t start, uint64_t inode) {
  auto e = event(Kind::kMmap, time_ns, pid);
  e.mapping.start = start;
  e.mapping.end = start + 0x1000;
  e.mapping.file = {1, inode, 0};
  e.mapping.path = "/lib" + std::to_string(inode);
  return e;
}

Event comm_event(uint64_t time_ns, int32_t pid, int32_t tid, const std::string& comm) {
  auto e = event(Kind::kComm, time_ns, pid);
  e.tid = tid;
  e.comm = comm;
  return e;
}

Event exec_begins(uint64_t time_ns, int32_t pid, const std::string& comm = "new") {
  auto e = comm_event(time_ns, pid, pid, comm);
  e.exec_id = Tracker::kExecBegins;
  return e;
}

class TrackerTest : public testing::Test {
 protected:
  void apply(const std::vector<Event>& events) {
    for (const auto& e : events)
      tracker_.apply(e);
  }
  // Inodes of the mappings, in order of address.
  std::vector<uint64_t> mapped(model::ProcessId process) {
    std::vector<uint64_t> inodes;
    const auto* state = tracker_.find(process);
    if (state == nullptr) return inodes;
    for (const auto& range : state->space.read().ranges()) {
      inodes.push_back(range.mapping.file.inode);
    }
    return inodes;
  }
  // A process that was started by exec under our eyes.
  void start(int32_t pid, model::ProcessId process, uint64_t time_ns) {
    apply({exec_begins(time_ns, pid), map_event(time_ns + 1, pid, 0x1000, process),
           event(Kind::kExec, time_ns + 2, pid, process)});
  }

  FileTable files_;
  Tracker tracker_{files_};
};

using Inodes = std::vector<uint64_t>;

TEST_F(TrackerTest, exec_takes_the_mappings_made_since_it_began) {
  start(10, 100, 1000);
  EXPECT_EQ(tracker_.take_changed(), Ids{100});
  apply({exec_begins(2000, 10, "python3"), map_event(2001, 10, 0x5000, 7),
         map_event(2002, 10, 0x8000, 8)});
  EXPECT_EQ(tracker_.take_exited(), Ids{100});
  EXPECT_EQ(tracker_.take_changed(), Ids{}) << "not named yet";
  auto exec = event(Kind::kExec, 2003, 10, 101);
  exec.stack_top = 0x7ffc0000;
  exec.exec_id = 5;
  apply({exec});
  EXPECT_EQ(tracker_.take_changed(), Ids{101});
  EXPECT_EQ(mapped(101), (Inodes{7, 8}));
  EXPECT_EQ(tracker_.find(101)->stack_top, 0x7ffc0000U);
  EXPECT_EQ(tracker_.find(101)->comm, "python3");
  EXPECT_EQ(tracker_.find_pid(10)->process, 101U);
  EXPECT_EQ(mapped(100), Inodes{100}) << "late samples of the old image still resolve";
  EXPECT_FALSE(tracker_.needs_scan());
}

TEST_F(TrackerTest, exec_whose_beginning_was_lost_asks_for_a_scan) {
  start(10, 100, 1000);
  apply({map_event(2001, 10, 0x5000, 7), event(Kind::kExec, 2003, 10, 101)});
  EXPECT_EQ(mapped(101), Inodes{});
  const auto requests = tracker_.take_scan_requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].process, 101U);
  EXPECT_EQ(tracker_.take_exited(), Ids{100});
  EXPECT_TRUE(tracker_.take_scan_requests().empty()) << "each is handed out once";
}

TEST_F(TrackerTest, exec_told_in_the_other_order_keeps_its_generation) {
  start(10, 100, 1000);
  apply({event(Kind::kExec, 2003, 10, 101), exec_begins(2001, 10), map_event(2002, 10, 0x5000, 7)});
  EXPECT_EQ(tracker_.find_pid(10)->process, 101U);
  EXPECT_EQ(mapped(101), Inodes{7});
  EXPECT_EQ(tracker_.take_exited(), Ids{100});
}

TEST_F(TrackerTest, exec_of_an_unknown_process_is_complete) {
  start(10, 100, 1000);
  EXPECT_EQ(mapped(100), Inodes{100});
  EXPECT_FALSE(tracker_.needs_scan());
}

TEST_F(TrackerTest, a_process_that_dies_in_exec_leaves_nothing_unnamed) {
  start(10, 100, 1000);
  apply({exec_begins(2000, 10), map_event(2001, 10, 0x5000, 7), event(Kind::kExit, 2002, 10, 100)});
  EXPECT_EQ(tracker_.find_pid(10), nullptr);
  EXPECT_EQ(tracker_.take_exited(), Ids{100});
  EXPECT_EQ(tracker_.exited(), 1U);
}

TEST_F(TrackerTest, a_forked_child_starts_with_its_parents_mappings) {
  start(10, 100, 1000);
  apply({fork_event(2000, 11, 110, 10, 100)});
  (void)tracker_.take_changed();
  EXPECT_EQ(mapped(110), Inodes{100});
  EXPECT_EQ(tracker_.find(110)->parent, 100U);
  EXPECT_EQ(tracker_.find(110)->parent_pid, 10);
  apply({map_event(2001, 11, 0x9000, 5)});
  EXPECT_EQ(mapped(110), (Inodes{100, 5}));
  EXPECT_EQ(mapped(100), Inodes{100});
  EXPECT_EQ(tracker_.take_changed(), Ids{110});
  apply({map_event(2002, 10, 0x7000, 6), event(Kind::kExit, 2003, 10, 100)});
  EXPECT_EQ(mapped(110), (Inodes{100, 5}));
}

TEST_F(TrackerTest, fork_and_exec_inherit_identity) {
  start(10, 100, 1000);
  auto fork = fork_event(2000, 11, 110, 10, 100);
  fork.namespace_pid = 3;
  fork.cgroup_id = 44;
  fork.start_ns = 555;
  apply({fork, exec_begins(2001, 11), map_event(2002, 11, 0x5000, 7)});
  auto exec = event(Kind::kExec, 2003, 11, 111);
  exec.namespace_pid = 3;
  exec.cgroup_id = 44;
  exec.start_ns = 555;
  apply({exec});
  const auto* state = tracker_.find(111);
  ASSERT_NE(state, nullptr);
  EXPECT_EQ(state->parent, 100U);
  EXPECT_EQ(state->parent_pid, 10);
  EXPECT_EQ(state->namespace_pid, 3);
  EXPECT_EQ(state->cgroup_id, 44U);
  EXPECT_EQ(tracker_.take_exited(), Ids{110});
}

TEST_F(TrackerTest, a_child_of_an_unknown_parent_is_scanned) {
  apply({fork_event(2000, 11, 110, 10, 100)});
  ASSERT_TRUE(tracker_.needs_scan());
  EXPECT_EQ(tracker_.take_scan_requests().front().pid, 11);
}

TEST_F(TrackerTest, a_new_thread_is_not_a_new_process) {
  start(10, 100, 1000);
  apply({fork_event(2000, 10, 100, 10, 100)});
  EXPECT_EQ(tracker_.live(), 1U);
  EXPECT_EQ(mapped(100), Inodes{100});
}

TEST_F(TrackerTest, exited_processes_are_kept_for_the_grace_time) {
  start(10, 100, 1000);
  apply({event(Kind::kExit, 5000, 10, 100)});
  EXPECT_EQ(tracker_.find_pid(10), nullptr);
  ASSERT_NE(tracker_.find(100), nullptr);
  EXPECT_EQ(tracker_.find(100)->exited_ns, 5000U);
  EXPECT_EQ(tracker_.take_exited(), Ids{100});
  EXPECT_EQ(tracker_.take_changed(), Ids{}) << "no tables for the dead";
  tracker_.expire(5000 + 2 * kSecond - 1);
  EXPECT_NE(tracker_.find(100), nullptr);
  tracker_.expire(5000 + 2 * kSecond);
  EXPECT_EQ(tracker_.find(100), nullptr);
}

TEST_F(TrackerTest, a_reused_pid_is_another_process_even_if_the_exit_was_lost) {
  start(10, 100, 1000);
  start(20, 200, 1500);
  apply({fork_event(3000, 10, 300, 20, 200), map_event(3001, 10, 0x9000, 5)});
  EXPECT_EQ(tracker_.take_exited(), Ids{100});
  EXPECT_EQ(mapped(300), (Inodes{200, 5}));
  EXPECT_EQ(mapped(100), Inodes{100});
  apply({event(Kind::kExit, 3002, 10, 100)});
  ASSERT_NE(tracker_.find_pid(10), nullptr) << "a late exit of the old one";
  apply({event(Kind::kExit, 3003, 10, 300)});
  EXPECT_EQ(tracker_.find_pid(10), nullptr);
}

TEST_F(TrackerTest, events_of_the_dead_do_not_revive_them) {
  start(10, 100, 1000);
  apply({event(Kind::kExit, 5000, 10, 100), event(Kind::kScan, 5001, 10, 100),
         event(Kind::kExec, 5002, 10, 100), map_event(5003, 10, 0x1000, 9)});
  EXPECT_EQ(tracker_.find_pid(10), nullptr);
  EXPECT_EQ(tracker_.counters().orphan_mappings, 1U);
  EXPECT_FALSE(tracker_.needs_scan());
}

TEST_F(TrackerTest, a_replaced_mapping_is_suspicious_until_the_tables_are_rebuilt) {
  start(10, 100, 1000);
  apply({map_event(2000, 10, 0x5000, 7), map_event(3000, 10, 0x5000, 8)});
  EXPECT_TRUE(tracker_.suspicious(100, 0x5800, 3500, 2500));
  EXPECT_FALSE(tracker_.suspicious(100, 0x5800, 2900, 2500)) << "sampled before";
  EXPECT_FALSE(tracker_.suspicious(100, 0x5800, 3500, 3100)) << "tables are newer";
  EXPECT_FALSE(tracker_.suspicious(100, 0x1800, 3500, 2500)) << "another address";
  EXPECT_FALSE(tracker_.suspicious(999, 0x5800, 3500, 2500));
}

TEST_F(TrackerTest, comm_is_the_threads_own_or_its_process) {
  start(10, 100, 1000);
  apply({comm_event(1100, 10, 12, "worker"), comm_event(1101, 10, 10, "main")});
  EXPECT_EQ(tracker_.comm(100, 12), "worker");
  EXPECT_EQ(tracker_.comm(100, 13), "main");
  apply({comm_event(1102, 10, 12, "renamed")});
  EXPECT_EQ(tracker_.comm(100, 12), "renamed");
  auto thread_exit = event(Kind::kExit, 1103, 10);
  thread_exit.tid = 12;
  apply({thread_exit});
  EXPECT_EQ(tracker_.comm(100, 12), "main");
  EXPECT_NE(tracker_.find_pid(10), nullptr);
  EXPECT_EQ(tracker_.comm(999, 1), "");
}

TEST_F(TrackerTest, a_kernel_thread_is_never_scanned) {
  auto scan = event(Kind::kScan, 1000, 2, 20);
  scan.kernel_thread = true;
  apply({scan});
  EXPECT_FALSE(tracker_.needs_scan());
  EXPECT_TRUE(tracker_.find(20)->kernel_thread);
}

TEST_F(TrackerTest, a_scan_that_is_older_than_exec_is_ignored) {
  apply({event(Kind::kScan, 1000, 10, 100)});
  ScanResult result;
  result.of = tracker_.take_scan_requests().at(0);
  result.time_ns = 1500;
  result.maps.mappings = {map_event(0, 10, 0x1000, 1).mapping};
  start(10, 101, 2000);
  tracker_.apply(result);
  EXPECT_EQ(mapped(101), Inodes{101});
}

TEST_F(TrackerTest, a_scan_ahead_of_the_events_of_exec_is_kept) {
  apply({event(Kind::kScan, 1000, 10, 100)});
  ScanResult result;
  result.of = tracker_.take_scan_requests().at(0);
  result.time_ns = 3000;  // read after the exec whose events are still on their way
  result.maps.mappings = {map_event(0, 10, 0x1000, 101).mapping,
                          map_event(0, 10, 0x8000, 8).mapping};
  tracker_.apply(result);
  start(10, 101, 2000);
  EXPECT_EQ(mapped(101), (Inodes{101, 8}));
}

TEST_F(TrackerTest, an_empty_scan_says_nothing) {
  start(10, 100, 1000);
  ScanResult result;
  result.of = {100, 10, 0};
  result.time_ns = 2000;
  tracker_.apply(result);
  EXPECT_EQ(mapped(100), Inodes{100});
}

TEST_F(TrackerTest, lost_events_make_all_be_scanned_again) {
  start(10, 100, 1000);
  start(20, 200, 1100);
  auto lost = event(Kind::kLost, 1200, 0);
  lost.lost_count = 3;
  apply({lost});
  EXPECT_TRUE(tracker_.needs_scan());
  EXPECT_EQ(tracker_.counters().lost_events, 3U);
  EXPECT_EQ(tracker_.take_scan_requests().size(), 2U);
  EXPECT_FALSE(tracker_.needs_scan());
  ScanResult gone;
  gone.of = {100, 10, 0};
  gone.time_ns = 1300;
  gone.gone = true;
  tracker_.apply(gone);
  EXPECT_EQ(tracker_.take_exited(), Ids{100});
  EXPECT_EQ(tracker_.live(), 1U);
}

TEST(TrackerLimitsTest, a_fork_storm_is_bounded_and_counted) {
  FileTable files;
  Tracker tracker(files,
                  {.max_processes = 100, .max_thread_comms = 10, .max_comms_per_process = 5});
  for (int32_t pid = 1; pid <= 150; ++pid) {
    tracker.apply(event(Kind::kScan, 1000, pid, static_cast<uint64_t>(pid)));
  }
  EXPECT_EQ(tracker.live(), 100U);
  EXPECT_EQ(tracker.counters().refused_processes, 50U);
  for (int32_t pid = 1; pid <= 100; ++pid) {
    tracker.apply(
        event(Kind::kExit, 2000 + static_cast<uint64_t>(pid), pid, static_cast<uint64_t>(pid)));
  }
  for (int32_t pid = 201; pid <= 10'200; ++pid) {
    const auto time_ns = 3000 + 2 * static_cast<uint64_t>(pid);
    tracker.apply(fork_event(time_ns, pid, static_cast<uint64_t>(pid), 1, 1));
    tracker.apply(event(Kind::kExit, time_ns + 1, pid, static_cast<uint64_t>(pid)));
    ASSERT_LE(tracker.live() + tracker.exited(), 100U);
  }
  EXPECT_EQ(tracker.counters().refused_processes, 50U) << "the exited give way";
  EXPECT_LE(tracker.take_exited().size(), 100U);
  EXPECT_GT(tracker.counters().dropped_exits, 0U);
  EXPECT_TRUE(tracker.take_changed().empty());
}

TEST(TrackerLimitsTest, thread_names_are_bounded_per_process_and_in_all) {
  FileTable files;
  Tracker tracker(files, {.max_thread_comms = 10, .max_comms_per_process = 8});
  tracker.apply(event(Kind::kScan, 1000, 1, 1));
  tracker.apply(event(Kind::kScan, 1000, 2, 2));
  for (int32_t tid = 100; tid < 110; ++tid)
    tracker.apply(comm_event(1001, 1, tid, "x"));
  EXPECT_EQ(tracker.find(1)->thread_comms.size(), 8U);
  for (int32_t tid = 200; tid < 210; ++tid)
    tracker.apply(comm_event(1001, 2, tid, "x"));
  EXPECT_EQ(tracker.find(2)->thread_comms.size(), 2U);
  EXPECT_EQ(tracker.counters().dropped_comms, 10U);
  tracker.apply(event(Kind::kExit, 1002, 1, 1));
  tracker.apply(comm_event(1003, 2, 300, "y"));
  EXPECT_EQ(tracker.comm(2, 300), "y") << "the dead gave their share back";
}

}  // namespace
}  // namespace pyprof::process
