// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/kernel_symbols.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace pyprof::symbolize {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

class KernelSymbolsTest : public testing::Test {
 protected:
  void SetUp() override { path_ = testing::TempDir() + "kallsyms." + std::to_string(getpid()); }
  void TearDown() override { std::filesystem::remove(path_); }

  void write(const std::string& text) { std::ofstream(path_) << text; }
  static std::string name_at(KernelSymbols& symbols, uint64_t address, uint64_t now_ns = kSecond) {
    const auto hit = symbols.find(address, now_ns);
    return hit ? std::string(hit->name) : "";
  }

  std::string path_;
};

constexpr const char* kFixture =
    "ffffffff81000000 T _stext\n"
    "ffffffff81000100 t local_alias\n"
    "ffffffff81000100 T __x64_sys_read\n"
    "ffffffff81000100 T ksys_r\n"
    "ffffffff810001f0 t __pfx_vfs_read\n"
    "ffffffff81000200 T vfs_read\n"
    "ffffffff81000280 D some_data\n"
    "ffffffff81000300 W weak_function\n"
    "ffffffffc0201000 t nf_hook\t[nf_tables]\n"
    "ffffffffc0202000 t bpf_prog_6deef7357e7b4530_on_tick\t[bpf]\n"
    "garbage\n"
    "zzzz T broken\n";

TEST_F(KernelSymbolsTest, finds_the_function_around_an_address) {
  write(kFixture);
  KernelSymbols symbols(path_);
  EXPECT_EQ(name_at(symbols, 0xffffffff81000000), "_stext");
  EXPECT_EQ(name_at(symbols, 0xffffffff81000234), "vfs_read");
  EXPECT_EQ(name_at(symbols, 0xffffffff810002a0), "vfs_read") << "data symbols do not count";
  EXPECT_EQ(name_at(symbols, 0xffffffff81000301), "weak_function");
  EXPECT_FALSE(symbols.problem());
}

TEST_F(KernelSymbolsTest, of_aliases_the_global_shortest_wins) {
  write(kFixture);
  KernelSymbols symbols(path_);
  const auto hit = symbols.find(0xffffffff81000110, kSecond);
  ASSERT_TRUE(hit);
  EXPECT_EQ(hit->name, "ksys_r");
  EXPECT_EQ(hit->start, 0xffffffff81000100);
  EXPECT_EQ(hit->module, "");
}

TEST_F(KernelSymbolsTest, names_the_module) {
  write(kFixture);
  KernelSymbols symbols(path_);
  EXPECT_EQ(symbols.find(0xffffffffc0201010, kSecond)->module, "nf_tables");
  EXPECT_EQ(symbols.find(0xffffffffc0202010, kSecond)->module, "bpf");
}

TEST_F(KernelSymbolsTest, far_from_every_function_there_is_no_name) {
  write(kFixture);
  KernelSymbols symbols(path_);
  EXPECT_EQ(name_at(symbols, 0xffffffff80000000), "");
  EXPECT_EQ(name_at(symbols, 0xffffffffa0000000), "");
  EXPECT_EQ(name_at(symbols, 0xffffffffffffffff), "");
}

TEST_F(KernelSymbolsTest, module_loaded_later_is_found_at_most_30_seconds_later) {
  write(kFixture);
  KernelSymbols symbols(path_);
  EXPECT_EQ(name_at(symbols, 0xffffffffd0000010, kSecond), "");
  write(std::string(kFixture) + "ffffffffd0000000 t late_function\t[late]\n");
  EXPECT_EQ(name_at(symbols, 0xffffffffd0000010, 2 * kSecond), "") << "not read at every miss";
  EXPECT_EQ(name_at(symbols, 0xffffffffd0000010, 31 * kSecond), "late_function");
  EXPECT_EQ(name_at(symbols, 0xffffffff81000234, 31 * kSecond), "vfs_read");
}

TEST_F(KernelSymbolsTest, hidden_addresses_are_said_to_be_hidden) {
  write("0000000000000000 T _stext\n0000000000000000 T vfs_read\n");
  KernelSymbols symbols(path_);
  EXPECT_EQ(name_at(symbols, 0xffffffff81000234), "");
  EXPECT_EQ(name_at(symbols, 0x10), "");
  ASSERT_TRUE(symbols.problem());
  EXPECT_NE(symbols.problem()->message.find("kptr_restrict"), std::string::npos);
}

TEST_F(KernelSymbolsTest, missing_file_is_a_problem_that_names_it) {
  KernelSymbols symbols(path_);
  EXPECT_EQ(name_at(symbols, 0xffffffff81000234), "");
  ASSERT_TRUE(symbols.problem());
  EXPECT_NE(symbols.problem()->message.find(path_), std::string::npos);
}

TEST_F(KernelSymbolsTest, agrees_with_the_running_kernel) {
  std::ifstream kallsyms("/proc/kallsyms");
  std::string line;
  KernelSymbols symbols;
  int checked = 0;
  while (std::getline(kallsyms, line) && checked < 200) {
    std::istringstream words(line);
    uint64_t address = 0;
    std::string type;
    std::string name;
    words >> std::hex >> address >> type >> name;
    const bool is_padding = name.starts_with("__pfx_") || name.starts_with("__cfi_");
    if (type != "T" || address == 0 || is_padding) {
      continue;
    }
    ++checked;
    const auto hit = symbols.find(address, kSecond);
    ASSERT_TRUE(hit) << line;
    EXPECT_EQ(hit->start, address) << line;
  }
  if (checked == 0) {
    GTEST_SKIP() << "the kernel hides its addresses from this user";
  }
  EXPECT_GT(symbols.size(), 1000u);
}

}  // namespace
}  // namespace pyprof::symbolize
