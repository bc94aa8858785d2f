// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/tables.h"

#include <gtest/gtest.h>

namespace pyprof::symbolize {
namespace {

model::Frame named(const std::string& function, uint32_t line = 0) {
  model::Frame frame;
  frame.function = function;
  frame.line = line;
  return frame;
}

TEST(FrameTableTest, equal_frames_get_one_number) {
  FrameTable table(named("full"), 100);
  const uint32_t f1 = table.intern(named("f", 1));
  EXPECT_NE(f1, 0u);
  EXPECT_EQ(table.intern(named("f", 1)), f1);
  EXPECT_NE(table.intern(named("f", 2)), f1);
  EXPECT_EQ(table.at(f1).line, 1u);
}

TEST(FrameTableTest, kind_alone_makes_a_difference) {
  FrameTable table(named("full"), 100);
  model::Frame python = named("f");
  python.kind = model::FrameKind::kPython;
  EXPECT_NE(table.intern(named("f")), table.intern(python));
}

TEST(FrameTableTest, beyond_the_cap_everything_new_is_frame_0) {
  FrameTable table(named("full"), 3);
  const uint32_t f = table.intern(named("f"));
  table.intern(named("g"));
  EXPECT_TRUE(table.full());
  EXPECT_EQ(table.intern(named("h")), 0u);
  EXPECT_EQ(table.intern(named("f")), f);
  table.reset();
  EXPECT_FALSE(table.full());
  EXPECT_EQ(table.at(0).function, "full");
  EXPECT_NE(table.intern(named("h")), 0u);
}

TEST(StackTableTest, equal_stacks_get_one_number_and_caps_hold) {
  StackTable table({{0}}, 100, 5);
  const uint32_t first = table.intern({1, 2, 3});
  EXPECT_EQ(table.intern({1, 2, 3}), first);
  const uint32_t second = table.intern({3, 2, 1});
  EXPECT_NE(second, first);
  EXPECT_TRUE(table.full());
  EXPECT_EQ(table.intern({4}), 0u);
  EXPECT_EQ(table.intern({3, 2, 1}), second);
  table.reset();
  EXPECT_NE(table.intern({4}), 0u);
}

TEST(FrameIdCacheTest, starts_over_when_full) {
  FrameIdCache cache(2);
  cache.add({1, 1, 1}, 11);
  cache.add({2, 1, 1}, 21);
  ASSERT_NE(cache.find({1, 1, 1}), nullptr);
  EXPECT_EQ(*cache.find({1, 1, 1}), 11u);
  cache.add({3, 1, 1}, 31);
  EXPECT_EQ(cache.find({1, 1, 1}), nullptr);
  EXPECT_EQ(*cache.find({3, 1, 1}), 31u);
}

}  // namespace
}  // namespace pyprof::symbolize
