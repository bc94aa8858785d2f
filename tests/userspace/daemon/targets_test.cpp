// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/targets.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

namespace pyprof::daemon {
namespace {

TEST(CheckProcessTest, takes_a_process_that_runs) {
  EXPECT_TRUE(check_process(process::ProcFs(), ::getpid()));
}

TEST(CheckProcessTest, names_the_process_of_a_thread) {
  std::atomic<int> tid{0};
  std::atomic<bool> done{false};
  std::thread thread([&] {
    tid = static_cast<int>(::syscall(SYS_gettid));
    while (!done)
      std::this_thread::yield();
  });
  while (tid == 0)
    std::this_thread::yield();
  const auto result = check_process(process::ProcFs(), tid);
  done = true;
  thread.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ExitCode::kNoProcess);
  EXPECT_NE(result.error().message.find("--pid " + std::to_string(::getpid())), std::string::npos)
      << result.error().message;
}

TEST(CheckProcessTest, refuses_what_has_exited) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  const auto zombie = check_process(process::ProcFs(), child);
  ::waitpid(child, nullptr, 0);
  ASSERT_FALSE(zombie);
  EXPECT_EQ(zombie.error().code, ExitCode::kNoProcess);
  const auto gone = check_process(process::ProcFs(), child);
  ASSERT_FALSE(gone);
  EXPECT_NE(gone.error().message.find(std::to_string(child)), std::string::npos);
}

TEST(PythonFinderTest, finds_none_in_this_test) {
  const process::ProcFs proc;
  const auto found = PythonFinder(proc).find(::getpid());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FALSE(found->has_value());
  const auto required = require_python(proc, {::getpid()}, "--python-only");
  ASSERT_FALSE(required);
  EXPECT_EQ(required.error().code, ExitCode::kNotSupported);
  EXPECT_NE(required.error().message.find(std::to_string(::getpid())), std::string::npos);
}

TEST(PythonFinderTest, tells_the_version_of_the_python_on_the_path) {
  int out[2];
  ASSERT_EQ(::pipe(out), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(out[1], 1);
    ::execlp("python3", "python3", "-c",
             "import sys,time;print('%d.%d.%d'%sys.version_info[:3],flush=True);time.sleep(60)",
             nullptr);
    ::_exit(127);
  }
  ::close(out[1]);
  char text[32] = {};
  const ssize_t bytes = ::read(out[0], text, sizeof(text) - 1);
  ::close(out[0]);
  Result<std::optional<PythonSupport>> found = std::optional<PythonSupport>();
  const process::ProcFs proc;
  if (bytes > 0) found = PythonFinder(proc).find(child);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  if (bytes <= 0) GTEST_SKIP() << "there is no python3 on PATH";
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->version, std::string(text, std::strcspn(text, "\n")));
  const model::PythonDetails& details = (*found)->details;
  EXPECT_NE(details.image.find("python"), std::string::npos);
  EXPECT_TRUE(details.build.starts_with("shared") || details.build.starts_with("static"));
  EXPECT_EQ(details.route.empty(), details.reason != model::Unsupported::kNone);
  EXPECT_EQ(details.detail.empty(), details.reason == model::Unsupported::kNone);
}

}  // namespace
}  // namespace pyprof::daemon
