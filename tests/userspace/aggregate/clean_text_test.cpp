// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/clean_text.h"

#include <gtest/gtest.h>

#include "tests/userspace/aggregate/profile_maker.h"
#include "userspace/base/text.h"

namespace pyprof::aggregate {
namespace {

TEST(CleanTextTest, KeepsWhatIsPrintable) {
  EXPECT_EQ(clean_text("Model.forward <locals> \xe5\x87\xbd\xe6\x95\xb0 \xf0\x9f\x90\x8d"),
            "Model.forward <locals> \xe5\x87\xbd\xe6\x95\xb0 \xf0\x9f\x90\x8d");
}

TEST(CleanTextTest, MakesOneLine) {
  EXPECT_EQ(clean_text("a\nb\r\tc\xe2\x80\xa8"
                       "d"),
            "a b  c d");
}

TEST(CleanTextTest, ReplacesControlsInvalidBytesAndDirectionMarks) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(clean_text("\x1b[31m"), r + "[31m");
  EXPECT_EQ(clean_text("a\xff"
                       "b\xc3"),
            "a" + r + "b" + r);
  EXPECT_EQ(clean_text("\xc2\x9b"
                       "31m"),
            r + "31m");
  EXPECT_EQ(clean_text("\xe2\x80\xae"
                       "x"),
            r + "x");
  EXPECT_EQ(clean_text("\xed\xa0\x80"), r + r + r);
  EXPECT_EQ(clean_text("\xef\xbf\xbe"), r);
  EXPECT_EQ(clean_text(std::string_view("a\0b", 3)), "a" + r + "b");
}

TEST(CleanTextTest, CutsAtACharacter) {
  EXPECT_EQ(clean_text("abcdef", 3), "abc\xe2\x80\xa6");
  EXPECT_EQ(clean_text("ab\xe5\x87\xbd", 4), "ab\xe2\x80\xa6");
  EXPECT_EQ(clean_text("abc", 3), "abc");
}

TEST(CleanTextTest, EveryHostileNameBecomesPrintableUtf8) {
  for (const char* name : test::kHostileNames) {
    const std::string text = clean_text(name);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t length = utf8_length(std::string_view(text).substr(at));
      ASSERT_GT(length, 0U) << text;
      ASSERT_FALSE(is_control(std::string_view(text).substr(at), length)) << text;
      at += length;
    }
  }
}

TEST(CleanTextTest, BaseNameIsWhatFollowsTheLastSlash) {
  EXPECT_EQ(base_name("/usr/lib/a.py"), "a.py");
  EXPECT_EQ(base_name("a.py"), "a.py");
  EXPECT_EQ(base_name("/a/"), "/a/");
  EXPECT_EQ(base_name(""), "");
}

}  // namespace
}  // namespace pyprof::aggregate
