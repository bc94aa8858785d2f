// SPDX-License-Identifier: Apache-2.0
#include "userspace/reader/reader_process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/userspace/reader/fixtures.h"

namespace pyprof::reader {
namespace {

std::string words(const ReadResult& result) {
  const auto* failure = std::get_if<Failure>(&result);
  return failure == nullptr ? "tables" : std::string(to_label(*failure));
}

ReadResult read_libc(ReaderProcess& process, const ReadLimits& limits = {}) {
  const auto path = elf::testing::libc_path();
  return process.read(testing::open_file(path), path, limits);
}

TEST(ReaderProcessTest, says_what_parsing_here_says) {
  ReaderProcess process(testing::program());
  for (const auto& path : {elf::testing::libc_path(), elf::testing::own_path()}) {
    const auto result = process.read(testing::open_file(path), path, {});
    ASSERT_EQ(words(result), "tables");
    EXPECT_EQ(encode(std::get<FileTables>(result)).size(), encode(testing::parsed(path)).size());
    EXPECT_EQ(std::get<FileTables>(result).packed.rows, testing::parsed(path).packed.rows);
  }
}

TEST(ReaderProcessTest, a_file_that_is_no_elf_file_has_no_rows) {
  ReaderProcess process(testing::program());
  const auto result = process.read(testing::open_file("/etc/passwd"), "/lib/libpython3.12.so", {});
  ASSERT_EQ(words(result), "tables");
  EXPECT_TRUE(std::get<FileTables>(result).packed.rows.empty());
  EXPECT_FALSE(std::get<FileTables>(result).interpreter->supported());
}

TEST(ReaderProcessTest, limits_cost_one_file_and_the_next_is_read) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer needs more memory than any limit";
#endif
  ReaderProcess process(testing::program());
  ReadLimits little_memory;
  little_memory.memory_bytes = 1 << 20;
  EXPECT_NE(words(read_libc(process, little_memory)), "reader_crash");
  ReadLimits short_result;
  short_result.result_bytes = 1'000;
  EXPECT_EQ(words(read_libc(process, short_result)), "reader_result");
  const pid_t before = process.pid();
  EXPECT_EQ(words(read_libc(process)), "tables");
  EXPECT_EQ(process.pid(), before);
}

TEST(ReaderProcessTest, one_that_hangs_is_replaced) {
  ReaderProcess process(testing::program());
  EXPECT_EQ(words(read_libc(process)), "tables");
  ::kill(process.pid(), SIGSTOP);
  ReadLimits limits;
  limits.time = std::chrono::milliseconds(50);
  EXPECT_EQ(words(read_libc(process, limits)), "reader_time");
  EXPECT_EQ(words(read_libc(process)), "tables");
}

TEST(ReaderProcessTest, one_that_was_killed_is_started_again_but_not_for_ever) {
  ReaderProcess process(testing::program());
  bool refused = false;
  for (int i = 0; i < 20 && !refused; ++i) {
    const pid_t pid = process.pid();
    if (pid != 0) ::kill(pid, SIGKILL);
    // Death shows as a closed socket, before or after the request is written.
    const auto said = words(read_libc(process));
    EXPECT_TRUE(said == "tables" || said == "reader_crash" || said == "reader_unavailable") << said;
    refused = said == "reader_unavailable";
  }
  EXPECT_TRUE(refused);
  ::usleep(1'200'000);
  EXPECT_EQ(words(read_libc(process)), "tables");
}

TEST(ReaderProcessTest, a_program_that_is_not_there_is_an_outcome) {
  ReaderProcess process("/nonexistent/pyebpf-reader");
  EXPECT_EQ(words(read_libc(process)), "reader_unavailable");
}

// Above 64 MiB a file is mapped: where it ends early, touching it raises SIGBUS in the parser.
TEST(ReaderProcessTest, a_file_that_shrinks_while_it_is_read_costs_itself_only) {
  constexpr off_t kBytes = 80 << 20;
  const auto start = elf::testing::read_bytes(elf::testing::libc_path());
  const Fd file(::memfd_create("shrinking", MFD_CLOEXEC));
  ASSERT_EQ(::write(file.get(), start.data(), start.size()), static_cast<ssize_t>(start.size()));
  std::atomic<bool> stop = false;
  std::thread shrinker([&] {
    while (!stop) {
      if (::ftruncate(file.get(), kBytes) != 0 || ::ftruncate(file.get(), 4'096) != 0) return;
    }
  });
  ReaderProcess process(testing::program());
  const pid_t pid = process.pid();
  for (int i = 0; i < 100; ++i) {
    const auto said = words(process.read(file, "libc.so.6", {}));
    EXPECT_TRUE(said == "tables" || said == "reader_crash") << said;
  }
  stop = true;
  shrinker.join();
  EXPECT_EQ(words(read_libc(process)), "tables");
  EXPECT_EQ(process.pid(), pid);
}

}  // namespace
}  // namespace pyprof::reader
