// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/file_catalog.h"

#include <gtest/gtest.h>

#include <vector>

#include "userspace/base/clock.h"
#include "userspace/elf/cfi_rule.h"

namespace pyprof::engine {
namespace {

using Rows = LoadedFile::Rows;

// The kernel's arrays, in plain memory: room for 4 files of 1,000 rows.
class FileCatalogTest : public ::testing::Test {
 protected:
  void put(model::FileId id, uint32_t rows = 1'000) { catalog_.place(id, tables(rows)); }
  [[nodiscard]] Rows state(model::FileId id) const { return catalog_.find(id)->rows; }
  void wait_for_room() { store_.reclaim(monotonic_ns() + probe::TableStore::kGraceNs + 1); }

  // Pages of 100 rows, each with a rule of the file's own dictionary.
  static reader::FileTables tables(uint32_t rows) {
    reader::FileTables tables;
    tables.rules = {elf::make_rule(WIRE_RULE_OTHER), elf::make_rule(WIRE_RULE_STOP)};
    for (uint32_t at = 0; at < rows; at += 100) {
      if (at % WIRE_ROW_CHUNK + 100 > WIRE_ROW_CHUNK) at += WIRE_ROW_CHUNK - at % WIRE_ROW_CHUNK;
      tables.packed.index.push_back(at << 8 | 100);
      tables.packed.rows.resize(at);
      for (uint32_t i = 0; i < 100; ++i)
        tables.packed.rows.push_back(i << 16 | 1 << 2 | 2);
    }
    tables.end_address = tables.packed.index.size() << WIRE_PAGE_BITS;
    return tables;
  }

  std::vector<uint32_t> rows_ = std::vector<uint32_t>(6 * WIRE_ROW_CHUNK);
  std::vector<uint32_t> index_ = std::vector<uint32_t>(WIRE_ROW_CHUNK);
  std::vector<uint32_t> dictionary_ = std::vector<uint32_t>(WIRE_DICT_RULES);
  process::FileTable files_;
  probe::TableStore store_{{rows_, index_, dictionary_, {}, {}, {}}};
  FileCatalog catalog_{files_, store_};
};

TEST_F(FileCatalogTest, rows_name_rules_of_the_shared_dictionary) {
  put(1);
  const auto& placed = catalog_.find(1)->placement;
  const uint32_t entry = index_[placed.index_first];
  EXPECT_EQ(entry & 0xff, 100u);
  const uint32_t row = rows_[entry >> 8];
  EXPECT_EQ(dictionary_[row >> 2 & 0x3fff], elf::make_rule(WIRE_RULE_STOP));
}

TEST_F(FileCatalogTest, no_page_crosses_a_chunk_and_files_share_chunks) {
  for (model::FileId id = 1; id <= 4; ++id) {
    put(id);
    ASSERT_EQ(state(id), Rows::kPlaced);
    const auto& placed = catalog_.find(id)->placement;
    for (uint32_t i = 0; i < placed.index_count; ++i) {
      const uint32_t first = index_[placed.index_first + i] >> 8;
      EXPECT_LE(first % WIRE_ROW_CHUNK + 100, WIRE_ROW_CHUNK);
    }
  }
  EXPECT_LE(store_.rows().used(), 4 * 1'000u + 4 * 100u);
}

TEST_F(FileCatalogTest, unused_rows_make_room_for_those_that_are_needed) {
  put(1, 3'000);
  put(2, 2'000);
  catalog_.add_user(2);
  put(3, 2'500);
  EXPECT_EQ(state(3), Rows::kStarved);
  EXPECT_EQ(state(1), Rows::kEvicted);
  EXPECT_EQ(state(2), Rows::kPlaced);
  EXPECT_EQ(catalog_.unplaced(), 1u);
  EXPECT_FALSE(catalog_.would_fit(3));
  wait_for_room();
  EXPECT_TRUE(catalog_.would_fit(3));
  put(3, 2'500);
  EXPECT_EQ(state(3), Rows::kPlaced);
  EXPECT_EQ(catalog_.unplaced(), 0u);
}

TEST_F(FileCatalogTest, what_nobody_has_used_for_longest_goes_first) {
  for (model::FileId id = 1; id <= 3; ++id) {
    put(id);
    catalog_.add_user(id);
  }
  for (const model::FileId id : {2, 3, 1})
    catalog_.remove_user(id);
  put(4, 3'000);
  EXPECT_EQ(state(2), Rows::kEvicted);
  EXPECT_EQ(state(1), Rows::kPlaced);
}

TEST_F(FileCatalogTest, rows_in_use_stay_and_a_file_too_big_evicts_nobody_for_nothing) {
  put(1);
  put(2, 100'000);
  EXPECT_EQ(state(2), Rows::kStarved);
  EXPECT_EQ(state(1), Rows::kPlaced);
}

TEST_F(FileCatalogTest, room_is_made_before_it_is_needed) {
  put(1, 2'000);
  put(2, 3'000);
  catalog_.add_user(2);
  catalog_.make_room();
  EXPECT_EQ(state(1), Rows::kPlaced);
  put(3, 300);
  catalog_.add_user(3);
  catalog_.make_room();
  EXPECT_EQ(state(1), Rows::kEvicted);
}

// Files 2 and 4 leave room enough for 5, but not in one piece.
TEST_F(FileCatalogTest, room_in_pieces_is_joined_by_evicting_more) {
  for (model::FileId id = 1; id <= 5; ++id)
    put(id);
  for (const model::FileId id : {2, 4})
    catalog_.add_user(id);
  put(6, 2'200);
  EXPECT_EQ(state(6), Rows::kStarved);
  for (const model::FileId id : {2, 4})
    catalog_.remove_user(id);
  for (int i = 0; i < 5 && !catalog_.would_fit(6); ++i) {
    wait_for_room();
    catalog_.make_room();
  }
  EXPECT_TRUE(catalog_.would_fit(6));
}

TEST_F(FileCatalogTest, a_file_that_broke_the_parser_has_no_rows) {
  catalog_.place(1, reader::Failure::kCrash);
  ASSERT_NE(catalog_.find(1), nullptr);
  EXPECT_EQ(state(1), Rows::kNone);
  EXPECT_FALSE(catalog_.find(1)->interpreter);
}

}  // namespace
}  // namespace pyprof::engine
