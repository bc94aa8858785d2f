// SPDX-License-Identifier: Apache-2.0
#include "userspace/debuginfod/client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

// With programs in the place of pyebpf-debuginfod that end in each way it may; what it does itself
// is tested with a real server, end to end.
namespace pyprof::debuginfod {
namespace {

using std::chrono::milliseconds;
namespace fs = std::filesystem;

constexpr const char* kBuild = "0123456789abcdef";

class ClientTest : public ::testing::Test {
 protected:
  ~ClientTest() override { fs::remove_all(folder_); }

  // Notes what it was called with, then does `end`.
  [[nodiscard]] Options with(const std::string& end) const {
    fs::create_directories(folder_);
    const std::string program = folder_ + "/program";
    std::ofstream(program) << "#!/bin/sh\necho \"$@ $DEBUGINFOD_URLS\" >>" << calls() << "\n"
                           << end << "\n";
    fs::permissions(program, fs::perms::owner_all);
    return {"http://127.0.0.1:1", folder_ + "/kept", 1000, program};
  }
  [[nodiscard]] std::string calls() const { return folder_ + "/calls"; }
  [[nodiscard]] std::size_t count_calls() const {
    std::ifstream file(calls());
    std::size_t lines = 0;
    for (std::string line; std::getline(file, line);)
      ++lines;
    return lines;
  }

  const std::string folder_ =
      fs::temp_directory_path() / ("client_test." + std::to_string(::getpid()));
};

TEST_F(ClientTest, asks_nobody_without_servers) {
  Options options = with("exit 3");
  options.urls.clear();
  Client client(options);
  client.ask(kBuild);
  EXPECT_TRUE(client.wait_idle(milliseconds(0)));
  EXPECT_EQ(count_calls(), 0u);
}

TEST_F(ClientTest, a_file_that_nobody_has_is_asked_for_once) {
  Client client(with("exit 3"));
  client.ask(kBuild);
  ASSERT_TRUE(client.wait_idle(milliseconds(20'000)));
  client.ask(kBuild);
  ASSERT_TRUE(client.wait_idle(milliseconds(20'000)));
  EXPECT_EQ(count_calls(), 1u);
  EXPECT_EQ(client.stats().missing, 1u);
  EXPECT_FALSE(client.find(kBuild).valid());
  EXPECT_TRUE(client.take_found().empty());
}

TEST_F(ClientTest, is_told_what_to_do) {
  Client client(with("exit 3"));
  client.ask(kBuild);
  ASSERT_TRUE(client.wait_idle(milliseconds(20'000)));
  std::ifstream file(calls());
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line, std::string(kBuild) + " " + folder_ + "/kept 1000 http://127.0.0.1:1");
}

TEST_F(ClientTest, only_build_ids_are_asked_for) {
  Client client(with("exit 3"));
  for (const std::string bad :
       {"", "12", "../../etc/passwd", "0123456789abcdeg", "0123456789ABCDEF"})
    client.ask(bad);
  client.ask(std::string(200, 'a'));
  ASSERT_TRUE(client.wait_idle(milliseconds(20'000)));
  EXPECT_EQ(count_calls(), 0u);
}

TEST_F(ClientTest, crashes_and_lies_are_failures) {
  for (const char* end : {"kill -SEGV $$", "exit 0", "exit 4", "echo hello >&0"}) {
    Client client(with(end));
    client.ask(kBuild);
    ASSERT_TRUE(client.wait_idle(milliseconds(20'000)));
    EXPECT_EQ(client.stats().failed, 1u) << end;
    EXPECT_EQ(client.trouble(), "") << end;
  }
}

TEST_F(ClientTest, says_when_the_library_is_missing) {
  Client client(with("exit 5"));
  client.ask(kBuild);
  ASSERT_TRUE(client.wait_idle(milliseconds(20'000)));
  EXPECT_NE(client.trouble().find("libdebuginfod1"), std::string::npos);
  client.ask("ffffffffffffffff");
  EXPECT_TRUE(client.wait_idle(milliseconds(0)));
  EXPECT_EQ(client.stats().dropped, 1u);
}

TEST_F(ClientTest, does_not_outlive_its_owner) {
  const auto begin = std::chrono::steady_clock::now();
  {
    Client client(with("exec sleep 100"));
    client.ask(kBuild);
    EXPECT_FALSE(client.wait_idle(milliseconds(200)));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace pyprof::debuginfod
