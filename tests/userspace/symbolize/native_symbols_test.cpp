// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/native_symbols.h"

#include <gtest/gtest.h>
#include <link.h>

#include <algorithm>

#include "tests/userspace/symbolize/fixtures.h"

// Functions of this test program, looked up by their address at run time.
extern "C" __attribute__((noinline)) int native_symbols_test_c_function(int x) {
  return x * 3 + 1;
}

namespace test_names {
struct Thing {
  __attribute__((noinline)) static int member(int x) { return x * 5 + 2; }
};
}  // namespace test_names

namespace pyprof::symbolize {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

uint64_t load_bias() {
  uint64_t bias = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        *static_cast<uint64_t*>(out) = info->dlpi_addr;
        return 1;  // the first one is the program itself
      },
      &bias);
  return bias;
}

template <typename Function>
uint64_t file_address(Function* function) {
  return reinterpret_cast<uint64_t>(function) - load_bias();
}

TEST(NativeSymbolsTest, finds_functions_of_a_real_file) {
  FakeOpener opener;
  opener.files[1] = {"/proc/self/exe"};
  NativeSymbols symbols(opener);
  const uint64_t address = file_address(&native_symbols_test_c_function);
  const NativeSymbol c = symbols.find(1, address + 2, kSecond);
  EXPECT_EQ(c.function, "native_symbols_test_c_function");
  EXPECT_EQ(c.start, address);
  const NativeSymbol cpp = symbols.find(1, file_address(&test_names::Thing::member), kSecond);
  EXPECT_EQ(cpp.function, "test_names::Thing::member(int)");
  EXPECT_EQ(cpp.raw.substr(0, 2), "_Z");
  EXPECT_EQ(opener.opens, 1);
}

TEST(NativeSymbolsTest, address_outside_every_function_has_no_name) {
  FakeOpener opener;
  opener.files[1] = {"/proc/self/exe"};
  NativeSymbols symbols(opener);
  const NativeSymbol& none = symbols.find(1, 3, kSecond);
  EXPECT_EQ(none.function, "");
  EXPECT_EQ(none.start, 3u);
}

TEST(NativeSymbolsTest, unreadable_file_is_tried_again_after_30_seconds) {
  FakeOpener opener;
  opener.files[1] = {"/nonexistent"};
  NativeSymbols symbols(opener);
  const uint64_t address = file_address(&native_symbols_test_c_function);
  EXPECT_EQ(symbols.find(1, address, kSecond).function, "");
  EXPECT_EQ(symbols.find(1, address, 2 * kSecond).function, "");
  EXPECT_EQ(opener.opens, 1);
  opener.files[1] = {"/proc/self/exe"};
  EXPECT_EQ(symbols.find(1, address, 32 * kSecond).function, "native_symbols_test_c_function");
  EXPECT_EQ(opener.opens, 2);
}

TEST(NativeSymbolsTest, least_recently_used_tables_go_when_memory_is_short) {
  FakeOpener opener;
  for (model::FileId file = 1; file <= 3; ++file) {
    opener.files[file] = {"/proc/self/exe"};
  }
  NativeSymbols probe(opener);
  probe.find(1, 16, kSecond);
  const std::size_t one = probe.bytes();

  NativeSymbols symbols(opener, {.table_bytes = 2 * one + one / 2});
  symbols.find(1, 16, kSecond);
  symbols.find(2, 16, kSecond);
  symbols.find(1, 16, kSecond);
  symbols.find(3, 16, kSecond);
  EXPECT_EQ(symbols.files(), 2u);
  EXPECT_LE(symbols.bytes(), 2 * one + one / 2);
  opener.opens = 0;
  symbols.find(1, 16, kSecond);
  EXPECT_EQ(opener.opens, 0) << "used more recently than file 2, so it was kept";
  symbols.find(2, 16, kSecond);
  EXPECT_EQ(opener.opens, 1);
}

TEST(NativeSymbolsTest, a_single_file_over_the_cap_still_works) {
  FakeOpener opener;
  opener.files[1] = {"/proc/self/exe"};
  NativeSymbols symbols(opener, {.table_bytes = 1});
  const uint64_t address = file_address(&native_symbols_test_c_function);
  EXPECT_EQ(symbols.find(1, address, kSecond).function, "native_symbols_test_c_function");
}

TEST(NativeSymbolsTest, remembered_addresses_are_bounded) {
  FakeOpener opener;
  opener.files[1] = {"/nonexistent"};
  NativeSymbols symbols(opener, {.addresses_per_file = 64});
  symbols.find(1, 0, kSecond);
  const std::size_t first = symbols.bytes();
  std::size_t most = 0;
  for (uint64_t address = 1; address < 10'000; ++address) {
    symbols.find(1, address, kSecond);
    most = std::max(most, symbols.bytes());
  }
  EXPECT_LE(most, 64 * first);
  EXPECT_EQ(opener.opens, 1);
}

}  // namespace
}  // namespace pyprof::symbolize
