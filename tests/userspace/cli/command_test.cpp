// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/command.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

namespace pyprof::cli {
namespace {

bool ends_soon(Command& command) {
  for (int i = 0; i < 1000; ++i) {
    if (command.has_ended()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

std::string marker(const char* name) {
  return ::testing::TempDir() + name + std::to_string(::getpid());
}

TEST(CommandTest, starts_when_it_is_released) {
  const std::string path = marker("command-");
  auto command = Command::prepare({"touch", path});
  ASSERT_TRUE(command) << command.error().message;
  EXPECT_EQ(::kill(command->pid(), 0), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_TRUE(command->release());
  EXPECT_TRUE(ends_soon(*command));
  EXPECT_TRUE(std::filesystem::remove(path));
}

TEST(CommandTest, never_runs_when_it_is_dropped) {
  const std::string path = marker("dropped-");
  pid_t pid = 0;
  {
    auto command = Command::prepare({"touch", path});
    ASSERT_TRUE(command);
    pid = command->pid();
  }
  EXPECT_NE(::kill(pid, 0), 0);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(CommandTest, names_a_program_that_is_not_there) {
  auto command = Command::prepare({"no-such-program-here"});
  ASSERT_TRUE(command);
  const auto released = command->release();
  ASSERT_FALSE(released);
  EXPECT_EQ(released.error().code, ExitCode::kUsage);
  EXPECT_NE(released.error().message.find("no-such-program-here"), std::string::npos);
  EXPECT_TRUE(ends_soon(*command));
}

}  // namespace
}  // namespace pyprof::cli
