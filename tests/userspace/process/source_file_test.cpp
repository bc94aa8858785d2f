// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/source_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace pyprof::process {
namespace {

namespace fs = std::filesystem;

class SourceFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("source-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  fs::path folder_;
  ProcFs proc_;
};

TEST_F(SourceFileTest, has_the_lines_that_are_there) {
  const std::string path = write("a.py", "one\n\n  three  \r\nfour");
  const auto lines = read_source(proc_, ::getpid(), path, {0, 1, 2, 3, 4, 5, 4'000'000'000});
  EXPECT_EQ(lines, (std::map<uint32_t, std::string>{{1, "one"}, {3, "three"}, {4, "four"}}));
}

TEST_F(SourceFileTest, finds_relative_names_from_the_working_directory) {
  write("b.py", "here\n");
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  EXPECT_EQ(read_source(proc_, 0, "b.py", {1}).size(), 1U);
  EXPECT_EQ(read_source(proc_, ::getpid(), "b.py", {1}).size(), 1U);
  fs::current_path(before);
}

TEST_F(SourceFileTest, opens_nothing_but_python_files) {
  write("secret", "root:x\n");
  fs::create_symlink(folder_ / "missing", folder_ / "link.py");
  ASSERT_EQ(::mkfifo((folder_ / "pipe.py").c_str(), 0600), 0);
  for (const char* name : {"secret", "link.py", "pipe.py", "nothing.py", "."})
    EXPECT_TRUE(read_source(proc_, 0, folder_ / name, {1}).empty()) << name;
  EXPECT_TRUE(read_source(proc_, 0, "/dev/zero", {1}).empty());
  EXPECT_TRUE(read_source(proc_, 0, write("empty.py", ""), {1}).empty());
  const std::string huge = write("huge.py", "x\n");
  fs::resize_file(huge, 9 << 20);
  EXPECT_TRUE(read_source(proc_, 0, huge, {1}).empty());
  EXPECT_TRUE(read_source(proc_, 2'000'000'000, huge, {1}).empty());
}

}  // namespace
}  // namespace pyprof::process
