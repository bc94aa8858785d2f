// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace pyprof::elf
