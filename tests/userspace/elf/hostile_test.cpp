// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iostream>
#include <iterator>
#include <random>
#include <tuple>
#include <vector>

#include "tests/userspace/elf/files.h"
#include "userspace/elf/byte_reader.h"
#include "userspace/elf/symbols.h"
#include "userspace/elf/unwind_table.h"

// Damaged and malicious files: any answer will do, but it must come, soon, and within the limits.
namespace pyprof::elf {
namespace {

void use_everything(std::vector<uint8_t> bytes) {
  const auto file = ElfFile::from_bytes(std::move(bytes));
  if (!file) {
    EXPECT_FALSE(file.error().message.empty());
    return;
  }
  (void)file->build_id();
  (void)file->soname();
  for (const Section& section : file->sections())
    (void)file->section_bytes(section);
  for (const Segment& segment : file->segments()) {
    (void)file->at_address(segment.address, segment.file_bytes);
    (void)file->address_of_mapping(segment.offset);
  }
  (void)file->find_symbol("no_such_symbol");
  const SymbolTable symbols = SymbolTable::from_file(*file, 10'000);
  const auto table = read_unwind_table(*file, {.max_rows = 50'000, .max_fdes = 20'000});
  if (!table) return;
  EXPECT_LE(table->rows.size(), 50'001u);
  RuleDictionary dictionary;
  const PackedTable packed = pack(*table, dictionary);
  for (std::size_t i = 0; i < table->rows.size(); i += 97) {
    const uint64_t address = table->rows[i].address;
    (void)symbols.find(address);
    (void)find_rule(packed, dictionary.rules(), address - table->first_address);
  }
}

// Where the structures are that a parser follows: the likeliest to lead it astray.
std::vector<std::pair<uint64_t, uint64_t>> interesting(const std::vector<uint8_t>& bytes) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges = {{0, 64}, {64, 64 + 56 * 14}};
  const auto file = ElfFile::from_bytes(bytes);
  if (!file) return ranges;
  for (const Section& section : file->sections()) {
    for (const char* name : {".eh_frame", ".eh_frame_hdr", ".dynsym", ".dynstr", ".dynamic",
                             ".gnu.hash", ".note.gnu.build-id", ".symtab"}) {
      if (section.name == name) ranges.emplace_back(section.offset, section.offset + section.bytes);
    }
  }
  ranges.emplace_back(bytes.size() - 64 * file->sections().size(), bytes.size());
  return ranges;
}

TEST(HostileTest, survives_mutations_of_a_real_file) {
  const auto original = testing::read_bytes(testing::libc_path());
  ASSERT_GT(original.size(), 100'000u);
  const auto ranges = interesting(original);
  std::mt19937_64 random(42);
  for (int round = 0; round < 300; round++) {
    auto bytes = original;
    const auto& [from, to] = ranges[random() % ranges.size()];
    for (uint64_t i = 0; i < 1 + random() % 40; i++) {
      constexpr uint8_t kNasty[] = {0x00, 0xff, 0x80, 0x7f, 0x01, 0x0a, 0x0b, 0x0f};
      const uint64_t at = from + random() % (to - from);
      bytes[at] = random() % 2 == 0 ? static_cast<uint8_t>(random()) : kNasty[random() % 8];
    }
    use_everything(std::move(bytes));
  }
}

TEST(HostileTest, survives_truncation_anywhere) {
  const auto original = testing::read_bytes(testing::libc_path());
  std::mt19937_64 random(43);
  for (std::size_t size = 0; size < 200; size += 3) {
    use_everything({original.begin(), original.begin() + static_cast<std::ptrdiff_t>(size)});
  }
  for (int round = 0; round < 100; round++) {
    const auto size = static_cast<std::ptrdiff_t>(random() % original.size());
    use_everything({original.begin(), original.begin() + size});
  }
}

TEST(HostileTest, survives_a_file_without_section_headers) {
  auto bytes = testing::read_bytes(testing::own_path());
  const auto whole = ElfFile::from_bytes(bytes);
  ASSERT_TRUE(whole.ok());
  std::memset(bytes.data() + 0x28, 0, 8);  // e_shoff
  std::memset(bytes.data() + 0x3c, 0, 4);  // e_shnum, e_shstrndx
  const auto stripped = ElfFile::from_bytes(bytes);
  ASSERT_TRUE(stripped.ok());
  EXPECT_TRUE(stripped->sections().empty());
  EXPECT_EQ(stripped->build_id(), whole->build_id());
  const auto by_section = read_unwind_table(*whole);
  const auto by_header = read_unwind_table(*stripped);
  ASSERT_TRUE(by_section.ok() && by_header.ok());
  EXPECT_GT(by_header->rows.size(), 100u);
  // Only code without call frame information is read with the help of symbols.
  std::vector<UnwindRow> common;
  std::set_intersection(by_header->rows.begin(), by_header->rows.end(), by_section->rows.begin(),
                        by_section->rows.end(), std::back_inserter(common),
                        [](const UnwindRow& a, const UnwindRow& b) {
                          return std::tie(a.address, a.rule) < std::tie(b.address, b.rule);
                        });
  EXPECT_GT(common.size() + 100, by_section->rows.size());
}

TEST(HostileTest, stops_at_the_row_and_fde_limits) {
  const auto file = ElfFile::open_path(testing::libc_path());
  ASSERT_TRUE(file.ok());
  const auto few_rows = read_unwind_table(*file, {.max_rows = 100, .max_fdes = 4'000'000});
  ASSERT_TRUE(few_rows.ok());
  EXPECT_TRUE(few_rows->cut);
  EXPECT_LE(few_rows->rows.size(), 100u);
  EXPECT_EQ(few_rows->rows.back().rule & 0xf, uint32_t{WIRE_RULE_NONE});
  const auto few_fdes = read_unwind_table(*file, {.max_rows = 8'000'000, .max_fdes = 10});
  ASSERT_TRUE(few_fdes.ok());
  EXPECT_TRUE(few_fdes->cut);
  EXPECT_GT(few_fdes->rows.size(), 10u);
}

TEST(ByteReaderTest, refuses_endless_leb128) {
  const std::vector<uint8_t> endless(64, 0x80);
  ByteReader reader(endless);
  EXPECT_EQ(reader.uleb(), 0u);
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.read<uint64_t>(), 0u) << "failed for good";
}

TEST(ByteReaderTest, reads_signed_leb128) {
  const std::vector<uint8_t> bytes = {0x7f, 0x80, 0x7f, 0x3f, 0xc0, 0x00, 0x78};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.sleb(), -1);
  EXPECT_EQ(reader.sleb(), -128);
  EXPECT_EQ(reader.sleb(), 63);
  EXPECT_EQ(reader.sleb(), 64);
  EXPECT_EQ(reader.sleb(), -8);
  EXPECT_TRUE(reader.at_end() && !reader.failed());
}

// Nested pairs, each of two references to the one before: n of them stand for 2^n types.
std::string explosive_name(int pairs) {
  const auto reference = [](int number) {
    constexpr char kDigits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    std::string text = number >= 36 ? std::string(1, kDigits[number / 36]) : "";
    return "S" + text + kDigits[number % 36] + "_";
  };
  std::string name = "_Z1fSt4pairIiiE";
  for (int i = 0; i < pairs; i++)
    name += "S_I" + reference(i) + reference(i) + "E";
  return name;
}

TEST(HostileTest, demangles_explosive_names_within_bounds) {
  EXPECT_TRUE(
      demangle(explosive_name(3)).starts_with("f(std::pair<int, int>, std::pair<std::pair"));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(demangle(explosive_name(60)).size(), 16u * 1'024);
  EXPECT_EQ(demangle(explosive_name(300)).size(), 16u * 1'024);
  for (const std::string& name :
       {"_Z1f" + std::string(4'000, 'P') + "i", "_R" + std::string(4'000, 'N'),
        "_RNvB" + std::string(3'000, '_'), "_D" + std::string(4'000, 'Q'),
        "_Z1f" + std::string(3'000, 'I'), "_ZN" + std::string(4'000, 'L') + "E",
        "_Z1fI" + std::string(4'000, 'X') + "E", "_Z1f" + std::string(4'000, 'F')}) {
    EXPECT_LE(demangle(name).size(), 16u * 1'024);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

}  // namespace
}  // namespace pyprof::elf
