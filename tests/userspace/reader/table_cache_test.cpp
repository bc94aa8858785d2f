// SPDX-License-Identifier: Apache-2.0
#include "userspace/reader/table_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/userspace/reader/fixtures.h"

namespace pyprof::reader {
namespace {

constexpr uint64_t kVersion = 7;

class TableCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto key = cache_key(testing::open_file(path_), path_);
    if (!key) GTEST_SKIP() << path_ << " has no build-id";
    key_ = *key;
    tables_ = testing::parsed(path_);
  }
  Result<TableCache> open(uint64_t max_bytes = 64 << 20, uint64_t version = kVersion) const {
    return TableCache::open(directory(), max_bytes, version);
  }
  [[nodiscard]] std::string directory() const { return folder_ / "tables"; }
  [[nodiscard]] std::string entry() const { return directory() + "/" + key_.name(); }

  const std::string path_ = elf::testing::libc_path();
  testing::Folder folder_;
  CacheKey key_;
  FileTables tables_;
};

TEST_F(TableCacheTest, keeps_tables_across_restarts) {
  {
    auto cache = open();
    ASSERT_TRUE(cache.ok()) << cache.error().message;
    EXPECT_FALSE(cache->find(key_).has_value());
    ASSERT_TRUE(cache->store(key_, tables_).ok());
  }
  auto cache = open();
  ASSERT_TRUE(cache.ok());
  const auto found = cache->find(key_);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(encode(*found), encode(tables_));
  EXPECT_EQ(cache->size(), 1u);
  struct stat facts {};
  ASSERT_EQ(::stat(directory().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700u);
}

TEST_F(TableCacheTest, damaged_and_foreign_entries_are_absent_and_rewritten) {
  auto cache = open();
  ASSERT_TRUE(cache->store(key_, tables_).ok());
  const auto good = elf::testing::read_bytes(entry());
  for (const std::size_t at : {std::size_t{0}, std::size_t{9}, good.size() / 2, good.size() - 1}) {
    auto bad = good;
    bad[at] ^= 1;
    std::ofstream(entry(), std::ios::binary).write(reinterpret_cast<char*>(bad.data()), bad.size());
    EXPECT_FALSE(cache->find(key_).has_value()) << at;
  }
  std::filesystem::resize_file(entry(), good.size() / 2);
  EXPECT_FALSE(cache->find(key_).has_value());
  std::filesystem::resize_file(entry(), 0);
  EXPECT_FALSE(cache->find(key_).has_value());
  ASSERT_TRUE(cache->store(key_, tables_).ok());
  EXPECT_TRUE(cache->find(key_).has_value());
  CacheKey other = key_;
  other.identity ^= 1;
  std::filesystem::rename(entry(), directory() + "/" + other.name());
  EXPECT_FALSE(cache->find(other).has_value());
}

TEST_F(TableCacheTest, another_build_of_the_parser_reads_anew) {
  ASSERT_TRUE(open()->store(key_, tables_).ok());
  EXPECT_FALSE(open(64 << 20, kVersion + 1)->find(key_).has_value());
  EXPECT_FALSE(open(64 << 20, 0).ok());
}

TEST_F(TableCacheTest, the_least_recently_used_goes_first) {
  const uint64_t one = encode(tables_).size();
  auto cache = open(one * 7 / 2);
  std::vector<CacheKey> keys;
  for (uint64_t i = 0; i < 3; ++i) {
    keys.push_back({key_.build_id, i});
    ASSERT_TRUE(cache->store(keys.back(), tables_).ok());
  }
  EXPECT_TRUE(cache->find(keys[0]).has_value());
  ASSERT_TRUE(cache->store({key_.build_id, 9}, tables_).ok());
  EXPECT_LE(cache->bytes(), one * 7 / 2);
  EXPECT_TRUE(cache->find(keys[0]).has_value());
  EXPECT_FALSE(cache->find(keys[1]).has_value());
}

TEST_F(TableCacheTest, a_file_is_known_by_more_than_its_build_id) {
  const std::string copy = folder_ / "copy";
  std::filesystem::copy_file(path_, copy);
  const auto other = cache_key(testing::open_file(copy), path_);
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(other->build_id, key_.build_id);
  EXPECT_NE(other->name(), key_.name());
}

TEST_F(TableCacheTest, a_folder_that_others_can_write_is_refused) {
  std::filesystem::create_directory(directory());
  ::chmod(directory().c_str(), 0777);
  EXPECT_FALSE(open().ok());
  std::filesystem::remove(directory());
  std::filesystem::create_directory_symlink(folder_ / ".", directory());
  EXPECT_FALSE(open().ok());
}

}  // namespace
}  // namespace pyprof::reader
