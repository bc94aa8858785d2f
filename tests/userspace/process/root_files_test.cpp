// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/root_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "tests/userspace/process/live_process.h"

namespace pyprof::process {
namespace {

std::string text_of(const Fd& file) {
  char text[64] = {};
  return file.valid() && ::pread(file.get(), text, sizeof(text), 0) > 0 ? text : "";
}

// A directory that stands for the root of a process.
class RootFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    outside_.write("secret", "outside");
    inside_.write("tmp/file", "inside");
    root_.reset(::open(inside_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  void link(const std::string& target, const std::string& name) {
    std::filesystem::create_symlink(target, inside_.path() / name);
  }

  TemporaryDirectory outside_;
  TemporaryDirectory inside_;
  Fd root_;
};

TEST_F(RootFilesTest, paths_stay_inside) {
  const std::string secret = (outside_.path() / "secret").string();
  EXPECT_EQ(text_of(open_in(root_, "/tmp/file")), "inside");
  EXPECT_EQ(text_of(open_in(root_, "../../../tmp/file")), "inside");
  EXPECT_FALSE(open_in(root_, secret).valid());
  link(secret, "absolute");
  EXPECT_FALSE(open_in(root_, "/absolute").valid());
  link("../../../../../../../.." + secret, "relative");
  EXPECT_FALSE(open_in(root_, "/relative").valid());
  link(outside_.path().string(), "directory");
  EXPECT_FALSE(open_in(root_, "/directory/secret").valid());
  link("/proc/self/root" + secret, "magic");
  EXPECT_FALSE(open_in(root_, "/magic").valid());
}

TEST_F(RootFilesTest, links_inside_are_followed_unless_refused) {
  link("/tmp/file", "link");
  EXPECT_EQ(text_of(open_in(root_, "/link")), "inside");
  EXPECT_FALSE(open_in(root_, "/link", LastLink::kRefuse).valid());
}

TEST_F(RootFilesTest, opens_regular_files_only) {
  ASSERT_EQ(::mkfifo((inside_.path() / "fifo").c_str(), 0600), 0);
  EXPECT_FALSE(open_in(root_, "/fifo").valid());
  EXPECT_FALSE(open_in(root_, "/tmp").valid());
  EXPECT_FALSE(open_in(Fd(), "/tmp/file").valid());
}

class PerfMapFileTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  const std::string path_ = "/tmp/perf-" + std::to_string(::getpid()) + ".map";
  const ProcFs proc_;
  const int32_t pid_ = ::getpid();
};

TEST_F(PerfMapFileTest, own_map_is_found) {
  EXPECT_FALSE(open_perf_map(proc_, pid_, pid_).valid());
  std::ofstream(path_) << "1000 10 f";
  EXPECT_EQ(text_of(open_perf_map(proc_, pid_, pid_)), "1000 10 f");
}

TEST_F(PerfMapFileTest, links_and_files_of_others_are_refused) {
  std::filesystem::create_symlink("/etc/hostname", path_);
  EXPECT_FALSE(open_perf_map(proc_, pid_, pid_).valid());
  std::filesystem::remove(path_);
  if (::geteuid() != 0) return;
  std::ofstream(path_) << "1000 10 f";
  ASSERT_EQ(::chown(path_.c_str(), 12'345, 12'345), 0);
  EXPECT_FALSE(open_perf_map(proc_, pid_, pid_).valid());
}

}  // namespace
}  // namespace pyprof::process
