// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/debug_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/userspace/elf/files.h"
#include "userspace/elf/symbols.h"

namespace pyprof::elf {
namespace {

namespace fs = std::filesystem;

// A program with a static function, stripped in the ways of distributions by their own tools.
class DebugFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "pyprof-debug-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    std::ofstream(directory_ / "p.c")
        << "__attribute__((noinline)) static int hidden(int x) {\n"
           "  return x * 3 + 1;\n"
           "}\n"
           "int main(int argc, char **argv) { return hidden(argc); }\n";
    run("gcc -g -O1 -o whole p.c");
    run("objcopy --only-keep-debug whole whole.debug");
    run("strip -o stripped whole");
    hidden_ = open("whole").find_symbol("hidden")->address;
  }
  void TearDown() override { fs::remove_all(directory_); }

  void run(const std::string& command) {
    const std::string all = "cd " + testing::quoted(directory_.string()) + " && " + command;
    ASSERT_EQ(std::system(all.c_str()), 0) << all;
  }
  ElfFile open(const std::string& name) {
    auto file = ElfFile::open_path((directory_ / name).string());
    EXPECT_TRUE(file.ok()) << file.error().message;
    return std::move(*file);
  }
  std::string name_in(const SymbolTable& table) const {
    const auto hit = table.find(hidden_ + 1);
    return hit ? std::string(hit->name) : "";
  }

  fs::path directory_;
  uint64_t hidden_ = 0;
};

TEST_F(DebugFilesTest, a_stripped_file_is_named_by_its_debug_file) {
  EXPECT_EQ(name_in(SymbolTable::from_file(open("stripped"))), "");
  EXPECT_EQ(name_in(SymbolTable::from_files(open("stripped"), open("whole.debug"))), "hidden");
  EXPECT_FALSE(has_debug_info(open("stripped")));
  EXPECT_TRUE(has_debug_info(open("whole.debug")));
  EXPECT_EQ(open("whole.debug").build_id(), open("whole").build_id());
}

TEST_F(DebugFilesTest, packed_symbols_are_found) {
  run("objcopy -S --keep-symbol=hidden --remove-section=.debug_* whole mini && xz -k mini &&"
      " objcopy --add-section .gnu_debugdata=mini.xz stripped packed");
  EXPECT_EQ(name_in(SymbolTable::from_file(open("packed"))), "hidden");
}

TEST_F(DebugFilesTest, damaged_packed_symbols_are_none) {
  run("xz -k whole && head -c 900 whole.xz > cut && head -c 3000 /dev/urandom > noise &&"
      " head -c 80M /dev/zero | xz > bomb");
  for (const std::string content : {"cut", "noise", "bomb"}) {
    run("objcopy --add-section .gnu_debugdata=" + content + " stripped " + content + ".elf");
    EXPECT_FALSE(mini_debug_info(open(content + ".elf")).has_value()) << content;
    EXPECT_EQ(name_in(SymbolTable::from_file(open(content + ".elf"))), "") << content;
  }
}

TEST_F(DebugFilesTest, the_link_has_the_name_and_the_crc_of_the_debug_file) {
  EXPECT_FALSE(debug_link(open("stripped")).has_value());
  run("objcopy --add-gnu-debuglink=whole.debug stripped linked");
  const auto link = debug_link(open("linked"));
  ASSERT_TRUE(link.has_value());
  EXPECT_EQ(link->name, "whole.debug");
  const Fd debug(::open((directory_ / "whole.debug").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(debug_crc(debug), link->crc);
}

TEST_F(DebugFilesTest, a_link_that_leaves_the_directory_is_none) {
  for (const std::string bytes :
       {"../../etc/x\\0\\0\\0\\0\\0", "..\\0\\0\\0\\0\\0\\0", "abc", ""}) {
    run("printf '" + bytes + "' > link && objcopy --add-section .gnu_debuglink=link stripped bad");
    EXPECT_FALSE(debug_link(open("bad")).has_value()) << bytes;
  }
}

}  // namespace
}  // namespace pyprof::elf
