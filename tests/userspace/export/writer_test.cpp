// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/userspace/export/tool.h"

namespace pyprof::exporter {
namespace {

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// Ends the process: 7 if writing failed, its error on standard error.
void write_on_a_full_disk(const std::string& path) {
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {4096, 4096};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const Result<void> done = write_output(path, std::string(100'000, 'x'));
  std::fputs(done.ok() ? "wrote" : done.error().message.c_str(), stderr);
  std::exit(done.ok() ? 0 : 7);
}

class WriterTest : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const {
    return folder_.path() + "/" + name;
  }
  [[nodiscard]] std::string listing() const {
    return test::run_tool("ls -A " + folder_.path()).output;
  }

  test::ScratchFolder folder_;
};

TEST_F(WriterTest, WritesANewFileWithTheUmask) {
  const mode_t before = ::umask(027);
  EXPECT_TRUE(write_output(path("a"), "one").ok());
  ::umask(before);
  struct stat info = {};
  ASSERT_EQ(::stat(path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640U);
  EXPECT_EQ(read_file(path("a")), "one");
  EXPECT_EQ(listing(), "a\n");
}

TEST_F(WriterTest, ReplacesAFileAndKeepsItsMode) {
  (void)folder_.write("a", "a longer old text");
  ASSERT_EQ(::chmod(path("a").c_str(), 0600), 0);
  EXPECT_TRUE(write_output(path("a"), "new").ok());
  struct stat info = {};
  ASSERT_EQ(::stat(path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(read_file(path("a")), "new");
  EXPECT_EQ(listing(), "a\n");
}

TEST_F(WriterTest, KeepsTheOldFileWhenWritingFails) {
  (void)folder_.write("a", "old");
  EXPECT_EXIT(write_on_a_full_disk(path("a")), testing::ExitedWithCode(7),
              "writing '.*/a'.*File too large");
  EXPECT_EQ(read_file(path("a")), "old");
  EXPECT_EQ(listing(), "a\n");
}

TEST_F(WriterTest, FollowsLinksAndKeepsThem) {
  (void)folder_.write("real", "old");
  ASSERT_EQ(::symlink("real", path("link").c_str()), 0);
  EXPECT_TRUE(write_output(path("link"), "new").ok());
  EXPECT_EQ(read_file(path("real")), "new");
  EXPECT_EQ(listing(), "link\nreal\n");
}

TEST_F(WriterTest, NamesWhatCannotBeWritten) {
  const Result<void> missing = write_output(path("no/such/a"), "x");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("no/such/a': No such file"), std::string::npos)
      << missing.error().message;
  EXPECT_FALSE(write_output(folder_.path(), "x").ok());
  EXPECT_FALSE(write_output("", "x").ok());
}

TEST_F(WriterTest, WritesToWhatIsNoRegularFile) {
  EXPECT_TRUE(write_output("/dev/null", "x").ok());
  testing::internal::CaptureStdout();
  EXPECT_TRUE(write_output("-", "to the terminal").ok());
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "to the terminal");
}

}  // namespace
}  // namespace pyprof::exporter
