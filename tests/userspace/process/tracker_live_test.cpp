// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstdlib>

#include "tests/userspace/process/live_process.h"
#include "userspace/base/clock.h"
#include "userspace/process/tracker.h"

// The tracker against real processes: the kernel's event stream is played, /proc is real.
namespace pyprof::process {
namespace {

model::ProcessEvent seen(int32_t pid, model::ProcessId process) {
  model::ProcessEvent event;
  event.kind = model::ProcessEvent::Kind::kScan;
  event.time_ns = monotonic_ns();
  event.pid = pid;
  event.process = process;
  return event;
}

uint64_t load_base(const void* address) {
  Dl_info info{};
  return ::dladdr(address, &info) != 0 ? reinterpret_cast<uint64_t>(info.dli_fbase) : 0;
}

TEST(TrackerLiveTest, resolves_program_counters_of_this_process) {
  FileTable files;
  Tracker tracker(files);
  tracker.apply(seen(::getpid(), 1));
  tracker.scan(ProcFs());
  const auto* state = tracker.find(1);
  const auto* function = reinterpret_cast<const void*>(&std::strtoull);
  const auto pc = reinterpret_cast<uint64_t>(function);
  EXPECT_EQ(tracker.resolve(1, pc, monotonic_ns()).file, 0U) << "no file has been read yet";
  for (const auto& range : state->space.read().ranges()) {
    (void)files.identify(ProcFs(), ::getpid(), range.mapping);
  }
  const auto where = tracker.resolve(1, pc, monotonic_ns());
  ASSERT_NE(where.file, 0U);
  EXPECT_EQ(where.pc, pc);
  EXPECT_EQ(where.address, pc - load_base(function));
  EXPECT_NE(files.info(where.file)->path.find("libc"), std::string::npos);
  const auto vdso = ::getauxval(AT_SYSINFO_EHDR);
  if (vdso != 0) {
    const auto inside = tracker.resolve(1, vdso + 0x800, monotonic_ns());
    EXPECT_EQ(files.info(inside.file)->path, "[vdso]");
    EXPECT_EQ(inside.address, 0x800U);
  }
  const auto nowhere = tracker.resolve(1, 0x10, monotonic_ns());
  EXPECT_EQ(nowhere.file, 0U);
  EXPECT_EQ(nowhere.address, 0x10U);
}

TEST(TrackerLiveTest, a_child_that_ends_before_the_scan_is_exited) {
  FileTable files;
  Tracker tracker(files);
  LiveProcess child({"sleep", "1000"});
  tracker.apply(seen(child.pid(), 1));
  child.end();
  tracker.scan(ProcFs());
  EXPECT_EQ(tracker.take_exited(), std::vector<model::ProcessId>{1});
}

TEST(TrackerLiveTest, a_pid_with_another_start_time_is_another_process) {
  FileTable files;
  Tracker tracker(files);
  const LiveProcess child({"sleep", "1000"});
  auto right = seen(child.pid(), 1);
  const auto ticks = ProcFs().stat(child.pid())->start_ticks;
  const auto tick_ns = 1'000'000'000 / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  right.start_ns = ticks * tick_ns + tick_ns / 2;
  tracker.apply(right);
  tracker.scan(ProcFs());
  EXPECT_TRUE(tracker.take_exited().empty());
  EXPECT_EQ(tracker.take_changed(), std::vector<model::ProcessId>{1});
  auto wrong = seen(child.pid(), 2);
  wrong.start_ns = right.start_ns - 100 * tick_ns;
  tracker.apply(wrong);
  tracker.scan(ProcFs());
  EXPECT_EQ(tracker.take_exited(), (std::vector<model::ProcessId>{1, 2}));
}

TEST(TrackerLiveTest, knows_all_libraries_of_a_python) {
  const auto python = find_program("python3");
  if (python.empty()) GTEST_SKIP() << "no python3 in PATH";
  FileTable files;
  Tracker tracker(files);
  const LiveProcess child({"python3", "-c", "import time; time.sleep(1000)"});
  tracker.apply(seen(child.pid(), 1));
  tracker.scan(ProcFs());
  const auto truth = ProcFs().maps(child.pid());
  ASSERT_TRUE(truth);
  std::size_t identified = 0;
  for (const auto& range : tracker.find(1)->space.read().ranges()) {
    if (files.identify(ProcFs(), child.pid(), range.mapping)) ++identified;
  }
  EXPECT_GE(tracker.find(1)->space.read().ranges().size(), 4U);
  EXPECT_EQ(identified, tracker.find(1)->space.read().ranges().size());
}

TEST(TrackerLiveTest, follows_every_process_of_the_machine) {
  FileTable files;
  Tracker tracker(files);
  const ProcFs proc;
  for (const auto pid : proc.pids())
    tracker.apply(seen(pid, static_cast<uint64_t>(pid)));
  tracker.scan(proc);
  EXPECT_FALSE(tracker.needs_scan());
  EXPECT_FALSE(tracker.find_pid(::getpid())->space.read().ranges().empty());
}

}  // namespace
}  // namespace pyprof::process
