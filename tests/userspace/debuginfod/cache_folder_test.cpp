// SPDX-License-Identifier: Apache-2.0
#include "userspace/debuginfod/cache_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

namespace pyprof::debuginfod {
namespace {

namespace fs = std::filesystem;

class CacheFolderTest : public ::testing::Test {
 protected:
  void TearDown() override {
    fs::current_path("/");
    fs::remove_all(folder_);
  }

  // Written that many hours ago.
  void keep(const std::string& build, std::size_t bytes, int age_hours) const {
    fs::create_directories(folder_ + "/" + build);
    const fs::path file = folder_ + "/" + build + "/debuginfo";
    std::ofstream(file) << std::string(bytes, 'x');
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(age_hours));
  }
  [[nodiscard]] bool has(const std::string& build) const {
    return fs::exists(folder_ + "/" + build + "/debuginfo");
  }

  const std::string folder_ =
      fs::temp_directory_path() / ("debuginfod_test." + std::to_string(::getpid())) / "kept";
};

TEST_F(CacheFolderTest, is_made_and_entered) {
  ASSERT_TRUE(enter_folder(folder_, ::getuid()).ok());
  EXPECT_EQ(fs::current_path(), fs::path(folder_));
  EXPECT_FALSE(enter_folder("/proc/self/no/such", ::getuid()).ok());
}

TEST_F(CacheFolderTest, keeps_what_came_last) {
  ASSERT_TRUE(enter_folder(folder_, ::getuid()).ok());
  keep("oldest", 1000, 3);
  keep("middle", 1000, 2);
  keep("newest", 1000, 1);
  trim_folder(3000);
  EXPECT_TRUE(has("oldest"));
  trim_folder(2500);
  EXPECT_FALSE(has("oldest"));
  EXPECT_TRUE(has("middle"));
  trim_folder(0);
  EXPECT_FALSE(has("newest"));
}

TEST_F(CacheFolderTest, links_are_left_alone) {
  ASSERT_TRUE(enter_folder(folder_, ::getuid()).ok());
  const std::string outside = fs::path(folder_).parent_path() / "outside";
  std::ofstream(outside) << "kept";
  fs::create_symlink(outside, "link");
  trim_folder(0);
  EXPECT_TRUE(fs::exists(outside));
}

}  // namespace
}  // namespace pyprof::debuginfod
