// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/text.h"

#include <gtest/gtest.h>

namespace pyprof {
namespace {

TEST(TextTest, well_formed_characters_have_their_length) {
  EXPECT_EQ(utf8_length("a"), 1u);
  EXPECT_EQ(utf8_length("\xc3\xa9"), 2u);          // é
  EXPECT_EQ(utf8_length("\xe2\x82\xac"), 3u);      // €
  EXPECT_EQ(utf8_length("\xf0\x9f\x90\x8d"), 4u);  // a snake
  EXPECT_EQ(utf8_length("\xf4\x8f\xbf\xbf"), 4u);  // U+10FFFF
}

TEST(TextTest, malformed_bytes_have_none) {
  for (const char* bad :
       {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf8\x88\x80\x80", "\xc3", "\xe2\x82", "\xff", "\xc3(", ""}) {
    EXPECT_EQ(utf8_length(bad), 0u) << "for " << testing::PrintToString(bad);
  }
}

TEST(TextTest, controls_are_c0_del_and_c1) {
  EXPECT_TRUE(is_control("\x1b", 1));
  EXPECT_TRUE(is_control("\x7f", 1));
  EXPECT_TRUE(is_control("\xc2\x9b", 2));
  EXPECT_FALSE(is_control(" ", 1));
  EXPECT_FALSE(is_control("\xc2\xa0", 2));
}

}  // namespace
}  // namespace pyprof
