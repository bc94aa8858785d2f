// SPDX-License-Identifier: Apache-2.0
// Truth comes from /proc/PID/maps of live children, from stat() and from readelf.
#include "userspace/probe/side_band.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/userspace/probe/children.h"
#include "userspace/base/clock.h"
#include "userspace/probe/kernel_features.h"

namespace pyprof::probe {
namespace {

using model::ProcessEvent;
using Kind = ProcessEvent::Kind;

std::string name_of(const model::Mapping& mapping) {
  return std::filesystem::path(mapping.path).filename().string();
}

class SideBandTest : public testing::Test {
 protected:
  bool open(const SideBandOptions& options = {}) {
    auto opened = SideBand::open(options);
    if (opened) {
      side_band_.emplace(std::move(*opened));
      return true;
    }
    std::fprintf(stderr, "skipped: %s\n", opened.error().message.c_str());
    EXPECT_EQ(opened.error().code, ExitCode::kPermission) << opened.error().message;
    return false;
  }
  std::size_t drain() {
    const auto count = side_band_->drain(events_);
    EXPECT_TRUE(count) << count.error().message;
    return count ? *count : 0;
  }
  std::vector<ProcessEvent> of(int pid, Kind kind) const {
    std::vector<ProcessEvent> found;
    std::copy_if(events_.begin(), events_.end(), std::back_inserter(found),
                 [&](const ProcessEvent& event) { return event.pid == pid && event.kind == kind; });
    return found;
  }
  // Every executable mapping that /proc shows must have come as an event, with all its fields.
  void expect_maps_were_reported(int pid) {
    const auto maps = executable_maps(pid);
    ASSERT_GE(maps.size(), 3U);
    const auto reported = of(pid, Kind::kMmap);
    for (const auto& map : maps) {
      const auto found =
          std::find_if(reported.rbegin(), reported.rend(),
                       [&](const ProcessEvent& event) { return event.mapping.start == map.start; });
      ASSERT_NE(found, reported.rend()) << map.path;
      EXPECT_EQ(found->mapping.end, map.end) << map.path;
      EXPECT_EQ(found->mapping.path, map.path);
      EXPECT_EQ(found->mapping.file_offset, map.file_offset) << map.path;
      EXPECT_EQ(found->mapping.file.device, map.file.device) << map.path;
      EXPECT_EQ(found->mapping.file.inode, map.file.inode) << map.path;
    }
  }

  std::optional<SideBand> side_band_;
  std::vector<ProcessEvent> events_;
};

TEST_F(SideBandTest, tells_exec_and_every_mapping_of_a_process_that_is_gone) {
  if (!open()) GTEST_SKIP();
  const uint64_t before = monotonic_ns();
  const int pid = run({"true"});
  const uint64_t after = monotonic_ns();
  drain();
  const auto names = of(pid, Kind::kComm);
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.back().comm, "true");
  EXPECT_EQ(names.back().exec_id, kExecComm);
  EXPECT_EQ(names.back().tid, pid);
  std::vector<std::string> mapped;
  for (const auto& event : of(pid, Kind::kMmap)) {
    EXPECT_GE(event.time_ns, names.back().time_ns);
    mapped.push_back(name_of(event.mapping));
  }
  ASSERT_EQ(mapped.size(), 4U) << testing::PrintToString(mapped);
  EXPECT_EQ(mapped.front(), "true");
  EXPECT_EQ(mapped[1].rfind("ld-linux", 0), 0U) << mapped[1];
  EXPECT_EQ(mapped[2], "[vdso]");
  EXPECT_EQ(mapped[3].rfind("libc", 0), 0U) << mapped[3];
  for (const auto& event : events_) {
    if (event.pid != pid) continue;
    EXPECT_GT(event.time_ns, before);
    EXPECT_LT(event.time_ns, after);
  }
}

TEST_F(SideBandTest, agrees_with_proc_maps_of_a_live_python_and_sees_its_dlopen) {
  if (!open()) GTEST_SKIP();
  Child python({"python3", "-c",
                "import sys\n"
                "print('ready', flush=True)\n"
                "sys.stdin.readline()\n"
                "import ctypes; ctypes.CDLL('libresolv.so.2')\n"
                "print('loaded', flush=True)\n"
                "sys.stdin.readline()\n"});
  ASSERT_GT(python.pid(), 0);
  if (python.read_line() != "ready") GTEST_SKIP() << "no working python3 in PATH";
  drain();
  expect_maps_were_reported(python.pid());
  events_.clear();
  ASSERT_TRUE(python.write_line("go"));
  ASSERT_EQ(python.read_line(), "loaded");
  drain();
  const auto added = of(python.pid(), Kind::kMmap);
  const auto maps = executable_maps(python.pid());
  const auto resolv = std::find_if(maps.begin(), maps.end(), [](const model::Mapping& map) {
    return name_of(map).rfind("libresolv", 0) == 0;
  });
  ASSERT_NE(resolv, maps.end());
  EXPECT_TRUE(std::any_of(added.begin(), added.end(), [&](const ProcessEvent& event) {
    return event.mapping.start == resolv->start && event.mapping.end == resolv->end &&
           event.mapping.file.inode == resolv->file.inode && event.mapping.path == resolv->path;
  }));
}

TEST_F(SideBandTest, tells_memory_that_becomes_executable_later_but_no_data) {
  if (!open()) GTEST_SKIP();
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* code =
      ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(code, MAP_FAILED);
  const Mmap owner(code, 2 * page);
  drain();
  EXPECT_TRUE(of(::getpid(), Kind::kMmap).empty());
  ASSERT_EQ(::mprotect(code, 2 * page, PROT_READ | PROT_EXEC), 0);
  drain();
  const auto mapped = of(::getpid(), Kind::kMmap);
  ASSERT_EQ(mapped.size(), 1U);
  EXPECT_LE(mapped[0].mapping.start, reinterpret_cast<uintptr_t>(code));
  EXPECT_GE(mapped[0].mapping.end, reinterpret_cast<uintptr_t>(code) + 2 * page);
  EXPECT_EQ(mapped[0].mapping.file, model::FileKey{});
}

TEST_F(SideBandTest, tells_a_thread_that_renames_itself_from_an_exec) {
  if (!open()) GTEST_SKIP();
  int tid = 0;
  std::thread([&] {
    tid = ::gettid();
    ::pthread_setname_np(::pthread_self(), "side \xff;\n band");
  }).join();
  drain();
  const auto names = of(::getpid(), Kind::kComm);
  ASSERT_EQ(names.size(), 1U);
  EXPECT_EQ(names[0].tid, tid);
  EXPECT_EQ(names[0].comm, "side \xff;\n band");
  EXPECT_EQ(names[0].exec_id, 0U);
}

TEST_F(SideBandTest, hands_paths_over_byte_for_byte) {
  if (!open()) GTEST_SKIP();
  std::string folder = (std::filesystem::temp_directory_path() / "side_bandXXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string program = folder + "/a \xff;<b>\n";
  std::filesystem::copy_file("/proc/self/exe", program);
  const int pid = run({program, "--gtest_list_tests"});
  struct stat file {};
  ASSERT_EQ(::stat(program.c_str(), &file), 0);
  std::filesystem::remove_all(folder);
  drain();
  const auto mapped = of(pid, Kind::kMmap);
  ASSERT_FALSE(mapped.empty());
  EXPECT_EQ(mapped[0].mapping.path, program);
  EXPECT_EQ(mapped[0].mapping.file.inode, file.st_ino);
}

std::string readelf_build_id(const std::string& path) {
  FILE* pipe = ::popen(("readelf -n '" + path + "' 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return "";
  std::string id;
  char line[512];
  while (std::fgets(line, sizeof line, pipe) != nullptr) {
    if (const char* at = std::strstr(line, "Build ID: ")) id = at + 10;
  }
  ::pclose(pipe);
  return id.substr(0, id.find('\n'));
}

TEST_F(SideBandTest, gives_build_ids_instead_of_inodes_where_asked_and_there) {
  if (!open({.build_ids = true})) GTEST_SKIP();
  if (!side_band_->build_ids()) GTEST_SKIP() << "kernel without build-ids in mmap events";
  const int pid = run({"true"});
  drain();
  int compared = 0;
  for (const auto& event : of(pid, Kind::kMmap)) {
    const auto& mapping = event.mapping;
    if (mapping.build_id.empty()) {
      EXPECT_TRUE(mapping.path == "[vdso]" || mapping.file.inode != 0) << mapping.path;
      continue;
    }
    EXPECT_EQ(mapping.file, model::FileKey{});
    std::string hex;
    for (const char byte : mapping.build_id) {
      char digits[3];
      std::snprintf(digits, sizeof digits, "%02x", static_cast<uint8_t>(byte));
      hex += digits;
    }
    const auto truth = readelf_build_id(mapping.path);
    if (truth.empty()) continue;
    EXPECT_EQ(hex, truth) << mapping.path;
    ++compared;
  }
  EXPECT_GE(compared, 1);
}

TEST_F(SideBandTest, loses_nothing_over_many_wraps_of_a_small_ring) {
  if (!open({.pages_per_cpu = 4})) GTEST_SKIP();
  std::vector<int> pids;
  for (int i = 0; i < 250; ++i) {
    pids.push_back(run({"true"}));
    drain();
  }
  EXPECT_EQ(side_band_->stats().malformed, 0U);
  if (side_band_->stats().lost > 0) GTEST_SKIP() << "other load overflowed the small ring";
  for (const int pid : pids) {
    EXPECT_EQ(of(pid, Kind::kMmap).size(), 4U) << pid;
    EXPECT_GE(of(pid, Kind::kComm).size(), 1U) << pid;
  }
}

TEST_F(SideBandTest, says_how_many_records_a_full_ring_lost) {
  if (!open({.pages_per_cpu = 4})) GTEST_SKIP();
  const auto cpus = online_cpus();
  ASSERT_TRUE(cpus);
  const OnCpu pinned(cpus->front());
  for (int i = 0; i < 200; ++i)
    run({"true"});
  drain();
  run({"true"});  // the kernel tells of a loss with the next record on the same CPU
  drain();
  uint64_t lost = 0;
  for (const auto& event : events_) {
    if (event.kind == Kind::kLost) lost += event.lost_count;
  }
  EXPECT_GT(lost, 300U);
  EXPECT_EQ(side_band_->stats().lost, lost);
}

TEST_F(SideBandTest, stops_at_the_limit_and_goes_on_where_it_stopped) {
  if (!open({.max_events = 7})) GTEST_SKIP();
  const int pid = run({"true"});
  std::size_t count = 0;
  do {
    count = drain();
    EXPECT_LE(count, 7U);
  } while (count == 7 && events_.size() < 10'000);
  EXPECT_EQ(of(pid, Kind::kMmap).size(), 4U);
}

TEST_F(SideBandTest, wakes_who_waits_at_once) {
  if (!open()) GTEST_SKIP();
  std::vector<pollfd> waiting;
  for (const int fd : side_band_->fds())
    waiting.push_back({fd, POLLIN, 0});
  ASSERT_EQ(waiting.size(), side_band_->cpus());
  ::poll(waiting.data(), waiting.size(), 0);
  drain();
  const int pid = run({"true"});
  EXPECT_GT(::poll(waiting.data(), waiting.size(), 1000), 0);
  drain();
  EXPECT_FALSE(of(pid, Kind::kComm).empty());
}

// A thread that hops between CPUs leaves its records in different rings.
TEST_F(SideBandTest, keeps_the_order_of_one_task_across_cpus_and_calls) {
  if (!open()) GTEST_SKIP();
  const auto cpus = online_cpus();
  ASSERT_TRUE(cpus);
  std::atomic<bool> done = false;
  int tid = 0;
  std::thread hopper([&] {
    tid = ::gettid();
    for (int i = 0; i < 800; ++i) {
      const OnCpu pinned((*cpus)[static_cast<std::size_t>(i) % cpus->size()]);
      ::pthread_setname_np(::pthread_self(), std::to_string(i).c_str());
    }
    done = true;
  });
  while (!done)
    drain();
  hopper.join();
  drain();
  int expected = 0;
  for (const auto& event : events_) {
    if (event.kind != Kind::kComm || event.tid != tid) continue;
    ASSERT_EQ(event.comm, std::to_string(expected));
    ++expected;
  }
  EXPECT_EQ(expected, 800);
}

TEST_F(SideBandTest, sorts_each_batch_by_time) {
  if (!open()) GTEST_SKIP();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int j = 0; j < 20; ++j)
        run({"true"});
    });
  }
  for (auto& thread : threads)
    thread.join();
  drain();
  EXPECT_GE(events_.size(), 400U);
  EXPECT_TRUE(std::is_sorted(
      events_.begin(), events_.end(),
      [](const ProcessEvent& a, const ProcessEvent& b) { return a.time_ns < b.time_ns; }));
}

TEST_F(SideBandTest, says_what_to_do_when_it_may_not) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to drop it";
  const int result = as_nobody(-1, [] {
    const auto opened = SideBand::open({});
    if (opened) return 3;
    const bool good = opened.error().code == ExitCode::kPermission &&
                      opened.error().message.find("CAP_PERFMON") != std::string::npos;
    return good ? 0 : 1;
  });
  if (result == 3) GTEST_SKIP() << "everyone may open CPU events here";
  EXPECT_EQ(result, 0);
}

TEST_F(SideBandTest, makes_do_with_smaller_rings_where_memory_may_not_be_locked) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to drop it";
  const int result = as_nobody(CAP_PERFMON, [] {
    const auto opened = SideBand::open({.pages_per_cpu = 16384});
    if (!opened) return std::fputs(opened.error().message.c_str(), stderr) >= 0 ? 1 : 2;
    if (opened->pages_per_cpu() == 16384) return 3;
    return opened->cpus() == online_cpus()->size() ? 0 : 4;
  });
  if (result == 3) GTEST_SKIP() << "locked memory is not limited here";
  EXPECT_EQ(result, 0);
}

TEST(SideBandRecordTest, survives_records_of_any_shape) {
  std::mt19937_64 random(7);
  const uint32_t types[] = {PERF_RECORD_COMM, PERF_RECORD_MMAP2, PERF_RECORD_LOST, PERF_RECORD_MMAP,
                            PERF_RECORD_SAMPLE};
  for (int round = 0; round < 50'000; ++round) {
    std::vector<uint8_t> bytes(random() % 200);
    for (auto& byte : bytes)
      byte = static_cast<uint8_t>(random());
    if (bytes.size() >= 4) std::memcpy(bytes.data(), &types[random() % 5], 4);
    if (const auto event = parse_side_band_record(bytes)) {
      EXPECT_LE(event->mapping.start, event->mapping.end);
      EXPECT_LE(event->mapping.build_id.size(), 20U);
      EXPECT_LE(event->comm.size(), 16U);
    }
  }
}

}  // namespace
}  // namespace pyprof::probe
