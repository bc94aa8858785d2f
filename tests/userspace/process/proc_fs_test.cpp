// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/proc_fs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "bpf/wire.h"
#include "tests/userspace/process/live_process.h"
#include "userspace/process/process_info.h"

namespace pyprof::process {
namespace {

TEST(ProcFsTest, reads_a_live_child) {
  const LiveProcess child({"sleep", "1000"});
  const ProcFs proc;
  const auto pids = proc.pids();
  EXPECT_TRUE(std::is_sorted(pids.begin(), pids.end()));
  EXPECT_TRUE(std::binary_search(pids.begin(), pids.end(), child.pid()));
  const auto stat = proc.stat(child.pid());
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->comm, "sleep");
  EXPECT_EQ(stat->parent_pid, ::getpid());
  EXPECT_EQ(stat->threads, 1U);
  EXPECT_GT(stat->start_ticks, 0U);
  EXPECT_EQ(*proc.command(child.pid()), (std::vector<std::string>{"sleep", "1000"}));
  EXPECT_EQ(*proc.exe(child.pid()), find_program("sleep"));
  struct stat status {};
  ASSERT_EQ(::stat("/proc/self/ns/pid", &status), 0);
  EXPECT_EQ(*proc.namespace_inode(child.pid(), "pid"), status.st_ino);
}

TEST(ProcFsTest, finds_the_executable_mappings_of_a_live_child) {
  const LiveProcess child({"sleep", "1000"});
  const auto maps = ProcFs().maps(child.pid());
  ASSERT_TRUE(maps);
  EXPECT_TRUE(maps->complete);
  const auto& all = maps->mappings;
  const auto has = [&](const std::string& part) {
    return std::any_of(all.begin(), all.end(), [&](const model::Mapping& mapping) {
      return mapping.path.find(part) != std::string::npos;
    });
  };
  EXPECT_TRUE(has("/sleep"));
  EXPECT_TRUE(has("libc"));
  EXPECT_TRUE(has("[vdso]"));
  EXPECT_FALSE(has("[stack]"));
  for (std::size_t i = 1; i < all.size(); ++i)
    EXPECT_LE(all[i - 1].end, all[i].start);
}

TEST(ProcFsTest, a_process_that_is_gone_is_no_process) {
  LiveProcess child({"sleep", "1000"});
  const auto pid = child.pid();
  child.end();
  const ProcFs proc;
  EXPECT_EQ(proc.stat(pid).error().code, ExitCode::kNoProcess);
  EXPECT_EQ(proc.exe(pid).error().code, ExitCode::kNoProcess);
  EXPECT_EQ(proc.command(pid).error().code, ExitCode::kNoProcess);
  EXPECT_EQ(proc.maps(pid).error().code, ExitCode::kNoProcess);
  EXPECT_EQ(proc.cgroup(pid).error().code, ExitCode::kNoProcess);
  EXPECT_EQ(proc.namespace_pid(pid).error().code, ExitCode::kNoProcess);
  EXPECT_EQ(proc.namespace_inode(pid, "mnt").error().code, ExitCode::kNoProcess);
  const auto info = read_process_info(proc, pid, 1);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, ExitCode::kNoProcess);
  EXPECT_NE(info.error().message.find(std::to_string(pid)), std::string::npos);
}

TEST(ProcFsTest, comm_may_look_like_the_rest_of_the_line) {
  const TemporaryDirectory root;
  root.write("7/stat", "7 (a) R 1 (b) Z 9) S 42 7 7 0 -1 0 0 0 0 0 11 13 0 0 20 0 5 0 4711 0 0\n");
  const auto stat = ProcFs(root.path()).stat(7);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->comm, "a) R 1 (b) Z 9");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent_pid, 42);
  EXPECT_EQ(stat->user_ticks, 11U);
  EXPECT_EQ(stat->system_ticks, 13U);
  EXPECT_EQ(stat->threads, 5U);
  EXPECT_EQ(stat->start_ticks, 4711U);
}

TEST(ProcFsTest, refuses_a_cut_stat_line) {
  const TemporaryDirectory root;
  for (const char* text : {"", "7", "7 (x", "7 (x)", "7 (x) ", "7 (x) S 1 2 3", ")("}) {
    root.write("7/stat", text);
    EXPECT_FALSE(ProcFs(root.path()).stat(7)) << text;
  }
}

TEST(ProcFsTest, takes_the_innermost_namespace_pid) {
  const TemporaryDirectory root;
  root.write("900/status", "Name:\tx\nPid:\t900\nNSpid:\t900\t45\t1\nVmPeak:\t1 kB\n");
  root.write("901/status", "Name:\tx\nPid:\t901\n");
  EXPECT_EQ(*ProcFs(root.path()).namespace_pid(900), 1);
  EXPECT_EQ(*ProcFs(root.path()).namespace_pid(901), 901);
}

TEST(ProcFsTest, caps_the_command_line) {
  const TemporaryDirectory root;
  std::string many;
  for (int i = 0; i < 5000; ++i)
    many += std::string("a") + '\0';
  root.write("1/cmdline", many);
  root.write("2/cmdline", std::string(1 << 20, 'x'));
  EXPECT_EQ(ProcFs(root.path()).command(1)->size(), ProcFs::kMaxArguments);
  EXPECT_EQ(ProcFs(root.path()).command(2)->front().size(), ProcFs::kMaxCommandBytes);
}

TEST(ProcFsTest, caps_the_number_of_mappings_and_says_so) {
  const TemporaryDirectory root;
  std::string text;
  for (uint64_t i = 1; i <= WIRE_MAX_MAPPINGS + 10; ++i) {
    char line[64];
    std::snprintf(line, sizeof(line), "%lx000-%lx000 r-xp 00000000 00:00 0 \n", i * 2, i * 2 + 1);
    text += line;
  }
  root.write("1/maps", text);
  const auto maps = ProcFs(root.path()).maps(1);
  ASSERT_TRUE(maps);
  EXPECT_EQ(maps->mappings.size(), static_cast<std::size_t>(WIRE_MAX_MAPPINGS));
  EXPECT_FALSE(maps->complete);
}

TEST(ProcFsTest, survives_a_line_without_end) {
  const TemporaryDirectory root;
  root.write("1/maps", "1000-2000 r-xp 00000000 08:01 7 /x\n" + std::string(1 << 20, 'x'));
  const auto maps = ProcFs(root.path()).maps(1);
  ASSERT_TRUE(maps);
  EXPECT_EQ(maps->mappings.size(), 1U);
  EXPECT_FALSE(maps->complete);
}

TEST(ProcessInfoTest, describes_a_live_child) {
  const LiveProcess child({"sleep", "1000"});
  const auto info = read_process_info(ProcFs(), child.pid(), 77);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->process, 77U);
  EXPECT_EQ(info->pid, child.pid());
  EXPECT_EQ(info->comm, "sleep");
  EXPECT_EQ(info->exe, find_program("sleep"));
  EXPECT_EQ(info->command, (std::vector<std::string>{"sleep", "1000"}));
  EXPECT_FALSE(info->container.cgroup_path.empty());
}

TEST(ProcessInfoTest, a_zombie_has_a_name_and_no_executable) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  const auto zombie = read_process_info(ProcFs(), pid, 1);
  ASSERT_TRUE(zombie);
  EXPECT_FALSE(zombie->comm.empty());
  EXPECT_EQ(zombie->exe, "");
  EXPECT_TRUE(zombie->command.empty());
  ::waitpid(pid, nullptr, 0);
}

}  // namespace
}  // namespace pyprof::process
