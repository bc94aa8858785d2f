// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "userspace/daemon/daemon.h"

namespace pyprof::daemon {
namespace {

class LoadConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = (std::filesystem::path(::testing::TempDir()) /
             ("config-" + std::to_string(::getpid()) + ".yaml"))
                .string();
    std::ofstream(path_) << "daemon:\n  listen: 127.0.0.1:1234\n";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::string path_;
};

TEST_F(LoadConfigTest, lets_flags_win) {
  const auto file = load_config({path_, {}, {}});
  ASSERT_TRUE(file);
  EXPECT_EQ(file->daemon.listen.port, 1234);
  const auto flags = load_config({path_, "127.0.0.1:4321", "/tmp/x.sock"});
  ASSERT_TRUE(flags);
  EXPECT_EQ(flags->daemon.listen.port, 4321);
  EXPECT_EQ(flags->daemon.control_socket, "/tmp/x.sock");
}

TEST_F(LoadConfigTest, refuses_to_listen_for_everyone) {
  const auto config = load_config({path_, "0.0.0.0:9917", {}});
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message.find("--listen: "), 0U);
}

TEST(NeedsRestartTest, names_what_can_not_change) {
  config::Config running;
  config::Config next;
  next.sampling.rate_hz = 49;
  next.daemon.window_seconds = 3;
  next.log.level = log::Level::kDebug;
  EXPECT_EQ(needs_restart(running, next), "");
  next.daemon.listen.port = 1;
  next.limits.stacks = 1;
  EXPECT_EQ(needs_restart(running, next), "daemon.listen, limits");
}

}  // namespace
}  // namespace pyprof::daemon
