// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/symbols.h"

#include <gtest/gtest.h>

#include <charconv>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "tests/userspace/elf/files.h"

namespace pyprof::elf {
namespace {

struct NmSymbol {
  uint64_t size = 0;
  std::set<std::string> names;  // aliases
};

uint64_t from_hex(const std::string& text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

// Text symbols with a size as binutils lists them.
std::map<uint64_t, NmSymbol> nm(const std::string& path, const std::string& options) {
  std::map<uint64_t, NmSymbol> symbols;
  for (const auto& line :
       testing::output_lines("nm -S --without-symbol-versions --defined-only " + options + " " +
                             testing::quoted(path) + " 2>/dev/null")) {
    std::istringstream fields(line);
    std::string address, size, type, name;
    if (!(fields >> address >> size >> type >> name)) continue;
    if (std::string("TtWwi").find(type) == std::string::npos || type.size() != 1) continue;
    NmSymbol& symbol = symbols[from_hex(address)];
    symbol.size = std::max(symbol.size, from_hex(size));
    symbol.names.insert(name);
  }
  return symbols;
}

// Every listed function is found under one of its names at its start, middle and last byte.
void expect_same_as_nm(const std::string& path, const std::string& options) {
  const auto symbols = nm(path, options);
  if (symbols.empty()) {
    std::cout << "skipped: nm lists nothing in " << path << "\n";
    return;
  }
  const auto file = ElfFile::open_path(path);
  ASSERT_TRUE(file.ok()) << file.error().message;
  const SymbolTable table = SymbolTable::from_file(*file);
  std::size_t nested = 0;
  for (const auto& [address, symbol] : symbols) {
    if (symbol.size == 0) continue;
    for (const uint64_t at : {address, address + symbol.size / 2, address + symbol.size - 1}) {
      const auto hit = table.find(at);
      ASSERT_TRUE(hit.has_value()) << std::hex << at;
      if (hit->start > address) {
        nested++;
        continue;
      }
      std::string name(hit->name);
      EXPECT_TRUE(symbol.names.contains(name.substr(0, name.find('@', 1))))
          << name << " at " << std::hex << at << ", nm says " << *symbol.names.begin();
      EXPECT_EQ(hit->start, address);
    }
  }
  EXPECT_LT(nested * 20, symbols.size()) << path;
  std::cout << path << ": " << symbols.size() << " functions, " << table.bytes() << " bytes\n";
}

TEST(SymbolTableTest, agrees_with_nm) {
  expect_same_as_nm(testing::own_path(), "");
  expect_same_as_nm(testing::libc_path(), "-D");
  if (const auto path = testing::libpython_path(); !path.empty()) expect_same_as_nm(path, "");
}

TEST(SymbolTableTest, agrees_with_objdump_inside_functions) {
  const auto path = testing::own_path();
  const auto file = ElfFile::open_path(path);
  ASSERT_TRUE(file.ok());
  const SymbolTable table = SymbolTable::from_file(*file);
  const auto known = nm(path, "");
  std::vector<uint64_t> addresses;
  std::string command = "objdump --no-show-raw-insn -d " + testing::quoted(path) +
                        " 2>/dev/null | grep -E '^[0-9a-f]+ <.*>:$' | head -400";
  for (const auto& line : testing::output_lines(command)) {
    const uint64_t address = from_hex(line.substr(0, line.find(' ')));
    const auto symbol = known.find(address);
    if (symbol == known.end()) continue;
    const std::string name = line.substr(line.find('<') + 1, line.rfind('>') - line.find('<') - 1);
    const auto hit = table.find(address + 1);
    if (symbol->second.size < 2) continue;
    ASSERT_TRUE(hit.has_value()) << line;
    EXPECT_TRUE(symbol->second.names.contains(std::string(hit->name))) << line;
    addresses.push_back(address);
  }
  if (addresses.empty()) GTEST_SKIP() << "objdump is not installed";
  EXPECT_GT(addresses.size(), 50u);
}

TEST(SymbolTableTest, knows_nothing_outside_functions) {
  const auto file = ElfFile::open_path(testing::own_path());
  ASSERT_TRUE(file.ok());
  const SymbolTable table = SymbolTable::from_file(*file);
  EXPECT_FALSE(table.find(0).has_value());
  EXPECT_FALSE(table.find(~uint64_t{0}).has_value());
  EXPECT_FALSE(SymbolTable{}.find(0x1000).has_value());
}

TEST(SymbolTableTest, drops_what_is_over_the_limit) {
  const auto file = ElfFile::open_path(testing::libc_path());
  ASSERT_TRUE(file.ok());
  const SymbolTable table = SymbolTable::from_file(*file, 10);
  EXPECT_LE(table.size(), 10u);
  EXPECT_LE(file->symbols(10).size(), 10u);
}

}  // namespace
}  // namespace pyprof::elf
