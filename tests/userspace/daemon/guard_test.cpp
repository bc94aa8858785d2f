// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/guard.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace pyprof::daemon {
namespace {

class KillSwitchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = (std::filesystem::path(::testing::TempDir()) /
             ("kill-switch-" + std::to_string(::getpid())))
                .string();
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::string path_;
};

TEST_F(KillSwitchTest, is_off_without_the_file) {
  EXPECT_FALSE(kill_switch_reason(path_));
}

TEST_F(KillSwitchTest, says_what_the_file_says) {
  std::ofstream(path_) << "incident 17\nmore";
  const auto reason = kill_switch_reason(path_);
  ASSERT_TRUE(reason);
  EXPECT_NE(reason->find(path_), std::string::npos);
  EXPECT_NE(reason->find("incident 17"), std::string::npos);
  EXPECT_EQ(reason->find("more"), std::string::npos);
  const auto allowed = check_host(path_);
  ASSERT_FALSE(allowed);
  EXPECT_NE(allowed.error().message.find("incident 17"), std::string::npos);
}

TEST_F(KillSwitchTest, needs_no_content) {
  const std::ofstream file(path_);
  EXPECT_TRUE(kill_switch_reason(path_));
}

TEST_F(KillSwitchTest, of_another_user_does_not_count) {
  std::ofstream(path_) << "x";
  if (::geteuid() != 0 || ::chown(path_.c_str(), 65534, 65534) != 0) {
    GTEST_SKIP() << "giving a file away needs root";
  }
  EXPECT_FALSE(kill_switch_reason(path_));
}

}  // namespace
}  // namespace pyprof::daemon
