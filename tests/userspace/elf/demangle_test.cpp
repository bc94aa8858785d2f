// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "userspace/elf/symbols.h"

namespace pyprof::elf {
namespace {

TEST(DemangleTest, reads_cxx_rust_and_d_names) {
  EXPECT_EQ(demangle("_ZNSt6vectorIiSaIiEE9push_backERKi"),
            "std::vector<int, std::allocator<int> >::push_back(int const&)");
  EXPECT_EQ(demangle("_ZN3foo3bar17h05af221e174051e9E"), "foo::bar");
  EXPECT_EQ(demangle("_RNvC6_123foo3bar"), "123foo::bar");
  EXPECT_EQ(demangle("_D8demangle4testFiZv"), "demangle.test(int)");
}

TEST(DemangleTest, keeps_other_names) {
  for (const char* name : {"_PyEval_EvalFrameDefault", "_PyEval_EvalFrameDefault.cold", "main", "",
                           "_Zzz", "_Rust", "_Do", "@"}) {
    EXPECT_EQ(demangle(name), name);
  }
}

TEST(DemangleTest, drops_symbol_versions) {
  EXPECT_EQ(demangle("memcpy@@GLIBC_2.14"), "memcpy");
  EXPECT_EQ(demangle("_ZNSs4swapERSs@@GLIBCXX_3.4"), demangle("_ZNSs4swapERSs"));
}

TEST(DemangleTest, keeps_compiler_suffixes_visible) {
  EXPECT_EQ(demangle("_ZN3foo3barEv.cold"), "foo::bar() [clone .cold]");
}

TEST(DemangleTest, returns_names_over_4_kib_as_they_are) {
  const std::string name = "_Z1f" + std::string(5'000, 'i');
  EXPECT_EQ(demangle(name), name);
}

TEST(DemangleTest, cuts_results_at_16_kib) {
  // Sixty parameters of one type that is 1,000 characters long.
  std::string name = "_Z1f1000" + std::string(1'000, 'x');
  for (int i = 0; i < 60; i++)
    name += "S_";
  const std::string text = demangle(name);
  EXPECT_EQ(text.size(), 16u * 1'024);
  EXPECT_TRUE(text.ends_with("..."));
  EXPECT_TRUE(text.starts_with("f(xxx"));
}

std::string repeated(const std::string& part, std::size_t bytes) {
  std::string text;
  while (text.size() + part.size() <= bytes)
    text += part;
  return text;
}

// Names that fill the cap and nest, refer back or unfold as far as their language lets them.
TEST(DemangleTest, hostile_names_cost_little) {
  constexpr std::size_t kBytes = 4'000;
  const std::vector<std::string> names = {
      "_Z1f" + repeated("P", kBytes) + "i",                       // C++: pointers to pointers
      "_Z1f" + repeated("PF", kBytes) + "v",                      // functions
      "_Z" + repeated("1aI", kBytes),                             // templates without an end
      "_ZN" + repeated("1a", kBytes) + "E",                       // long chains
      "_Z1f" + repeated("DT", kBytes),                            // expressions
      "_Z1fIJ" + repeated("S_", kBytes) + "EE",                   // packs of back references
      "_Z1f1a" + repeated("S0_S1_IS_S0_E", kBytes),               // that grow
      "_R" + repeated("I", kBytes) + "C1a",                       // Rust v0: generic arguments
      "_R" + repeated("Nv", kBytes) + "C1a",                      // paths
      "_RINvC1a1fT" + repeated("B1_", kBytes) + "EE",             // back references
      "_RMC1a" + repeated("FR", kBytes) + "u",                    // types
      "_RINvC1a1f" + repeated("TB8_B8_E", kBytes) + "E",          // that double
      "_ZN" + repeated("3$LT", kBytes) + "17h05af221e174051e9E",  // Rust legacy: escapes
      "_D1a" + repeated("Q", kBytes),                             // D: back references
      "_D1a" + repeated("Qb", 46) + "FZv",
      "_D" + repeated("1aF", kBytes) + "Zv",  // functions in functions
      "_D1a" + repeated("P", kBytes) + "i",
      "_D" + repeated("3__T1aT", kBytes) + "i",
      "_D1aF" + repeated("HA", kBytes) + "iZv",
  };
  for (const std::string& name : names) {
    const auto begin = std::chrono::steady_clock::now();
    const std::string text = demangle(name);
    const auto spent = std::chrono::steady_clock::now() - begin;
    EXPECT_LE(text.size(), 16u * 1'024) << name.substr(0, 20);
    EXPECT_FALSE(text.empty());
    EXPECT_LT(spent, std::chrono::seconds(1)) << name.substr(0, 20);
  }
}

TEST(DemangleTest, random_names_are_survived) {
  std::mt19937 random(5);
  const std::string_view letters = "ZNSTIEFRDQPKLXJCMBUvifxaA_0123456789$.@hst";
  for (int i = 0; i < 20'000; ++i) {
    std::string name = std::vector<std::string>{"_Z", "_R", "_D", "_ZN"}[random() % 4];
    for (std::size_t n = random() % 60; n > 0; --n)
      name += letters[random() % letters.size()];
    EXPECT_LE(demangle(name).size(), 16u * 1'024);
  }
}

}  // namespace
}  // namespace pyprof::elf
