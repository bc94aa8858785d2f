// SPDX-License-Identifier: Apache-2.0
#include "userspace/reader/file_tables.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/userspace/reader/fixtures.h"

namespace pyprof::reader {
namespace {

TEST(FileTablesTest, bytes_hold_all_of_a_value) {
  const auto tables = testing::parsed(elf::testing::libc_path());
  ASSERT_FALSE(tables.packed.rows.empty());
  ASSERT_TRUE(tables.tsd.has_value());
  const auto read = decode(encode(tables));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->first_address, tables.first_address);
  EXPECT_EQ(read->end_address, tables.end_address);
  EXPECT_EQ(read->rules, tables.rules);
  EXPECT_EQ(read->packed.rows, tables.packed.rows);
  EXPECT_EQ(read->packed.index, tables.packed.index);
  EXPECT_EQ(read->tsd->level1, tables.tsd->level1);
  EXPECT_FALSE(read->interpreter.has_value());
}

TEST(FileTablesTest, an_interpreter_is_the_same_after_the_journey) {
  const auto path = elf::testing::libpython_path();
  if (path.empty()) GTEST_SKIP() << "no libpython on this machine";
  const auto tables = testing::parsed(path);
  ASSERT_TRUE(tables.interpreter.has_value());
  const auto read = decode(encode(tables));
  ASSERT_TRUE(read && read->interpreter);
  EXPECT_EQ(read->interpreter->full_version, tables.interpreter->full_version);
  EXPECT_EQ(read->interpreter->path, path);
  EXPECT_EQ(read->interpreter->config.frame_code, tables.interpreter->config.frame_code);
  EXPECT_EQ(read->interpreter->runtime_address, tables.interpreter->runtime_address);
}

TEST(FileTablesTest, what_is_cut_or_too_long_is_refused) {
  const auto bytes = encode(testing::parsed(elf::testing::own_path()));
  for (std::size_t keep = 0; keep < bytes.size(); keep += 1 + bytes.size() / 200) {
    EXPECT_FALSE(decode(std::span(bytes).first(keep)).has_value());
  }
  auto longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(decode(longer).has_value());
}

// Whatever comes out can be given to the kernel.
TEST(FileTablesTest, a_damaged_value_never_points_outside_itself) {
  const auto bytes = encode(testing::parsed(elf::testing::own_path()));
  std::minstd_rand random(7);
  for (int i = 0; i < 300; ++i) {
    auto damaged = bytes;
    for (int n = 0; n < 8; ++n)
      damaged[random() % damaged.size()] = static_cast<uint8_t>(random());
    const auto read = decode(damaged);
    if (!read) continue;
    for (const uint32_t entry : read->packed.index)
      EXPECT_LE((entry >> 8) + (entry & 0xff), read->packed.rows.size());
    for (const uint32_t row : read->packed.rows) {
      if ((row & 3) == 2) {
        EXPECT_LT(row >> 2 & 0x3fff, read->rules.size());
      }
    }
  }
}

}  // namespace
}  // namespace pyprof::reader
