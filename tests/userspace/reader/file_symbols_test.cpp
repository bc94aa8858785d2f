// SPDX-License-Identifier: Apache-2.0
#include "userspace/reader/file_symbols.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <variant>

#include "tests/userspace/reader/fixtures.h"
#include "userspace/elf/elf_file.h"
#include "userspace/reader/reader_process.h"

namespace pyprof::reader {
namespace {

// A program with a static function, its stripped form, and debug files of it and of another one.
class FileSymbolsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string source =
        "__attribute__((noinline)) static int hidden(int x) {"
        " return x * 3 + 1; }\n"
        "int main(int argc, char **argv) { return hidden(argc); }\n";
    run("printf '%s' '" + source + "' > p.c && gcc -g -O1 -o whole p.c && gcc -g -O0 -o other p.c");
    run("objcopy --only-keep-debug whole whole.debug && objcopy --only-keep-debug other "
        "other.debug");
    run("strip -o stripped whole");
    const auto whole = elf::ElfFile::open_path(folder_ / "whole");
    ASSERT_TRUE(whole);
    hidden_ = whole->find_symbol("hidden")->address;
  }
  void run(const std::string& command) {
    ASSERT_EQ(std::system(("cd " + (folder_ / ".") + " && " + command).c_str()), 0) << command;
  }
  std::vector<Fd> open(const std::vector<std::string>& names) {
    std::vector<Fd> files;
    for (const std::string& name : names)
      files.push_back(testing::open_file(folder_ / name));
    return files;
  }
  FileSymbols read(const std::string& name, const std::vector<Fd>& candidates = {}) {
    auto result = process_.read_symbols(testing::open_file(folder_ / name), candidates, {});
    EXPECT_TRUE(std::holds_alternative<FileSymbols>(result)) << name;
    return std::get<FileSymbols>(std::move(result));
  }
  std::string name_in(const FileSymbols& symbols) const {
    const auto hit = symbols.table.find(hidden_ + 1);
    return hit ? std::string(hit->name) : "";
  }

  testing::Folder folder_;
  ReaderProcess process_{testing::program()};
  uint64_t hidden_ = 0;
};

TEST_F(FileSymbolsTest, of_a_file_with_everything_in_it) {
  const auto symbols = read("whole");
  EXPECT_EQ(name_in(symbols), "hidden");
  EXPECT_TRUE(symbols.own_debug_info);
  EXPECT_FALSE(symbols.debug_file);
}

TEST_F(FileSymbolsTest, the_candidate_that_belongs_to_a_file_names_it) {
  EXPECT_EQ(name_in(read("stripped")), "");
  const auto candidates = open({"p.c", "other.debug", "whole.debug"});
  const auto symbols = read("stripped", candidates);
  EXPECT_EQ(name_in(symbols), "hidden");
  EXPECT_FALSE(symbols.own_debug_info);
  EXPECT_EQ(symbols.debug_file, 2u);
}

TEST_F(FileSymbolsTest, as_many_candidates_as_there_can_be) {
  std::vector<std::string> names(kMaxCandidates - 1, "other.debug");
  names.emplace_back("whole.debug");
  EXPECT_EQ(read("stripped", open(names)).debug_file, kMaxCandidates - 1);
}

TEST_F(FileSymbolsTest, of_no_elf_file_there_are_none) {
  EXPECT_EQ(read("p.c").table.size(), 0u);
}

TEST_F(FileSymbolsTest, are_the_same_after_coding) {
  FileSymbols symbols = parse_symbols(testing::open_file(elf::testing::libc_path()), {});
  ASSERT_GT(symbols.table.size(), 1'000u);
  symbols.debug_file = 3;
  const auto again = decode_symbols(encode(symbols), 4);
  ASSERT_TRUE(again);
  EXPECT_EQ(encode(*again), encode(symbols));
  EXPECT_FALSE(decode_symbols(encode(symbols), 3)) << "there is no such candidate";
}

// As a parser that a file has taken over would write them.
TEST_F(FileSymbolsTest, damaged_bytes_are_refused_or_harmless) {
  const auto sound = encode(read("whole"));
  std::mt19937 random(5);
  for (std::size_t cut = 0; cut < sound.size(); ++cut)
    EXPECT_FALSE(decode_symbols({sound.data(), cut}, 0));
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = sound;
    for (int n = 0; n < 3; ++n)
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    const auto symbols = decode_symbols(bytes, 0);
    if (!symbols) continue;
    for (const auto& entry : symbols->table.entries())
      (void)symbols->table.find(entry.address + 1);
  }
}

}  // namespace
}  // namespace pyprof::reader
