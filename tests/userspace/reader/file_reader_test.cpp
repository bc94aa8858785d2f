// SPDX-License-Identifier: Apache-2.0
#include "userspace/reader/file_reader.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/userspace/reader/fixtures.h"

namespace pyprof::reader {
namespace {

struct Answers {
  std::mutex mutex;
  std::condition_variable came;
  std::vector<FileReader::Outcome> all;

  FileReader::Done done() {
    return [this](FileReader::Outcome outcome) {
      const std::lock_guard lock(mutex);
      all.push_back(std::move(outcome));
      came.notify_one();
    };
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    return came.wait_for(lock, std::chrono::seconds(20), [&] { return all.size() >= count; });
  }
};

FileReaderOptions options(const std::string& cache = "") {
  FileReaderOptions options;
  options.program = testing::program();
  options.cache_directory = cache;
  options.cache_bytes = 64 << 20;
  return options;
}

TEST(FileReaderTest, reads_once_and_from_the_cache_afterwards) {
  const testing::Folder folder;
  const auto path = elf::testing::libc_path();
  for (const uint64_t parsed : {1, 0}) {
    Answers answers;
    FileReader reader(options(folder / "tables"));
    reader.read(testing::open_file(path), path, answers.done());
    ASSERT_TRUE(answers.wait_for(1));
    ASSERT_TRUE(std::holds_alternative<FileTables>(answers.all[0].result));
    EXPECT_FALSE(std::get<FileTables>(answers.all[0].result).packed.rows.empty());
    EXPECT_EQ(reader.counts().parsed, parsed);
    EXPECT_EQ(reader.counts().from_cache, 1 - parsed);
  }
}

TEST(FileReaderTest, a_file_that_takes_long_moves_over_and_is_read_there) {
  auto slow = options();
  slow.small_time = std::chrono::milliseconds(0);
  Answers answers;
  FileReader reader(slow);
  const auto path = elf::testing::libc_path();
  EXPECT_FALSE(reader.read(testing::open_file(path), path, answers.done()));
  ASSERT_TRUE(answers.wait_for(2));
  EXPECT_TRUE(answers.all[0].later);
  EXPECT_TRUE(std::holds_alternative<FileTables>(answers.all[1].result));
}

TEST(FileReaderTest, a_big_file_is_read_beside_the_small_ones) {
  auto small = options();
  small.small_bytes = 100;
  Answers answers;
  FileReader reader(small);
  const auto path = elf::testing::libc_path();
  EXPECT_TRUE(reader.read(testing::open_file(path), path, answers.done()));
  ASSERT_TRUE(answers.wait_for(1));
  EXPECT_FALSE(answers.all[0].later);
}

TEST(FileReaderTest, without_a_parser_every_file_has_an_outcome) {
  auto none = options();
  none.program = "/nonexistent/pyebpf-reader";
  Answers answers;
  FileReader reader(none);
  for (int i = 0; i < 3; ++i)
    reader.read(testing::open_file("/etc/passwd"), "x", answers.done());
  ASSERT_TRUE(answers.wait_for(3));
  EXPECT_EQ(reader.counts().failures[static_cast<std::size_t>(Failure::kUnavailable)], 3u);
}

}  // namespace
}  // namespace pyprof::reader
