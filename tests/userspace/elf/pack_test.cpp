// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <random>

#include "tests/userspace/elf/files.h"
#include "userspace/elf/cfi_rule.h"
#include "userspace/elf/unwind_table.h"

namespace pyprof::elf {
namespace {

constexpr uint32_t kNone = make_rule(WIRE_RULE_NONE);

uint32_t rule_at(const UnwindTable& table, uint64_t address) {
  const auto above = std::upper_bound(table.rows.begin(), table.rows.end(), address,
                                      [](uint64_t a, const UnwindRow& r) { return a < r.address; });
  return above == table.rows.begin() ? kNone : std::prev(above)->rule;
}

void expect_layout(const PackedTable& packed, uint64_t text_bytes) {
  EXPECT_EQ(packed.index.size(), (text_bytes + 511) / 512);
  for (std::size_t page = 0; page < packed.index.size(); page++) {
    const uint32_t first = packed.index[page] >> 8;
    const uint32_t count = packed.index[page] & 0xff;
    ASSERT_GE(count, 1u);
    ASSERT_LE(first + count, packed.rows.size());
    ASSERT_EQ(first / WIRE_ROW_CHUNK, (first + count - 1) / WIRE_ROW_CHUNK) << "page " << page;
    ASSERT_EQ(packed.rows[first] >> 16, page * 512 & 0xffff) << "page " << page;
    ASSERT_TRUE(std::is_sorted(packed.rows.begin() + first, packed.rows.begin() + first + count,
                               [](uint32_t a, uint32_t b) { return a >> 16 < b >> 16; }));
  }
}

UnwindTable made_table(std::vector<UnwindRow> rows, uint64_t first, uint64_t end) {
  UnwindTable table;
  table.first_address = first;
  table.end_address = end;
  table.rows = std::move(rows);
  return table;
}

TEST(PackTest, finds_the_same_rule_as_the_table_in_real_files) {
  RuleDictionary dictionary;
  for (const auto& path : {testing::own_path(), testing::libc_path(), testing::libpython_path()}) {
    if (path.empty()) continue;
    const auto file = ElfFile::open_path(path);
    ASSERT_TRUE(file.ok()) << file.error().message;
    const auto table = read_unwind_table(*file);
    ASSERT_TRUE(table.ok());
    const PackedTable packed = pack(*table, dictionary);
    const uint64_t text_bytes = table->end_address - table->first_address;
    expect_layout(packed, text_bytes);
    std::mt19937_64 random(7);
    for (int i = 0; i < 200'000; i++) {
      const uint64_t offset = random() % text_bytes;
      ASSERT_EQ(find_rule(packed, dictionary.rules(), offset),
                rule_at(*table, table->first_address + offset))
          << path << " at " << std::hex << table->first_address + offset;
    }
    for (const UnwindRow& row : table->rows) {
      if (row.address >= table->end_address) continue;
      ASSERT_EQ(find_rule(packed, dictionary.rules(), row.address - table->first_address),
                row.rule);
    }
    std::cout << path << ": " << table->rows.size() << " rows, packed " << packed.rows.size()
              << ", dictionary " << dictionary.rules().size() << "\n";
  }
}

TEST(PackTest, puts_wide_rules_in_the_dictionary_and_common_ones_inline) {
  const std::vector<uint32_t> rules = {
      make_rule(WIRE_RULE_RSP, 1),     make_rule(WIRE_RULE_RBP, 1'023, 15),
      make_rule(WIRE_RULE_RSP, 1'024), make_rule(WIRE_RULE_RSP, -1),
      make_rule(WIRE_RULE_RBP, 2, 16), make_rule(WIRE_RULE_RBP_DEREF, -1, kRbpAtRbp),
      make_rule(WIRE_RULE_PLT, 11),    make_rule(WIRE_RULE_SIGNAL),
      make_rule(WIRE_RULE_STOP),       kNone};
  std::vector<UnwindRow> rows;
  for (std::size_t i = 0; i < rules.size(); i++)
    rows.push_back({0x1000 + i * 100, rules[i]});
  RuleDictionary dictionary;
  const PackedTable packed = pack(made_table(rows, 0x1000, 0x1800), dictionary);
  for (std::size_t i = 0; i < rules.size(); i++) {
    EXPECT_EQ(find_rule(packed, dictionary.rules(), i * 100 + 99), rules[i]) << i;
  }
  EXPECT_EQ(dictionary.rules().size(), 9u) << "OTHER and all but the first two";
  EXPECT_EQ(find_rule(packed, dictionary.rules(), 0x10000), kNone) << "outside the text";
}

TEST(PackTest, ends_a_crowded_page_without_a_rule_and_goes_on_in_the_next) {
  std::vector<UnwindRow> rows;
  for (uint64_t i = 0; i < 400; i++) {
    rows.push_back({0x2000 + i, make_rule(WIRE_RULE_RSP, 1 + static_cast<int32_t>(i % 2))});
  }
  rows.push_back({0x2400, kNone});
  RuleDictionary dictionary;
  const UnwindTable table = made_table(rows, 0x2000, 0x2600);
  const PackedTable packed = pack(table, dictionary);
  EXPECT_EQ(packed.index[0] & 0xff, 255u);
  EXPECT_EQ(find_rule(packed, dictionary.rules(), 253), rows[253].rule);
  EXPECT_EQ(find_rule(packed, dictionary.rules(), 254), kNone);
  EXPECT_EQ(find_rule(packed, dictionary.rules(), 511), kNone);
  EXPECT_EQ(find_rule(packed, dictionary.rules(), 512), rows[399].rule);
}

TEST(PackTest, gives_nothing_for_an_empty_table) {
  RuleDictionary dictionary;
  const PackedTable packed = pack(UnwindTable{}, dictionary);
  EXPECT_TRUE(packed.rows.empty());
  EXPECT_TRUE(packed.index.empty());
  EXPECT_EQ(find_rule(packed, dictionary.rules(), 0), kNone);
}

TEST(RuleDictionaryTest, answers_other_when_full) {
  RuleDictionary dictionary;
  for (int32_t i = 0; i < 5'000; i++)
    dictionary.index_of(make_rule(WIRE_RULE_RSP, i));
  EXPECT_EQ(dictionary.rules().size(), std::size_t{WIRE_DICT_RULES});
  const uint32_t index = dictionary.index_of(make_rule(WIRE_RULE_RBP_DEREF, 77));
  EXPECT_EQ(dictionary.rules()[index], make_rule(WIRE_RULE_OTHER));
  EXPECT_EQ(dictionary.rules()[dictionary.index_of(make_rule(WIRE_RULE_RSP, 9))],
            make_rule(WIRE_RULE_RSP, 9));
}

}  // namespace
}  // namespace pyprof::elf
