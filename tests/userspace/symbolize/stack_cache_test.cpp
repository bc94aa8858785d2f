// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/stack_cache.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace pyprof::symbolize {
namespace {

model::RawStack raw_stack(model::StackKey key, model::ProcessId process = 1) {
  model::RawStack stack;
  stack.key = key;
  stack.process = process;
  stack.native.resize(30);
  return stack;
}

TEST(StackCacheTest, hands_out_the_keys_it_dropped_once) {
  StackCache probe(1 << 20);
  probe.add(raw_stack(1));
  StackCache cache(3 * probe.bytes());
  for (model::StackKey key = 1; key <= 3; ++key) {
    cache.add(raw_stack(key));
  }
  EXPECT_TRUE(cache.take_evicted().empty());
  EXPECT_NE(cache.find(1), nullptr);
  cache.add(raw_stack(4));
  EXPECT_EQ(cache.take_evicted(), std::vector<model::StackKey>{2});
  EXPECT_TRUE(cache.take_evicted().empty());
  EXPECT_EQ(cache.find(2), nullptr);
  EXPECT_NE(cache.find(1), nullptr);
}

TEST(StackCacheTest, same_key_again_replaces_the_stack) {
  StackCache cache(1 << 20);
  cache.add(raw_stack(1, 5));
  const std::size_t bytes = cache.bytes();
  cache.find(1)->prepared.emplace();
  cache.add(raw_stack(1, 6));
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.bytes(), bytes);
  EXPECT_EQ(cache.find(1)->raw.process, 6u);
  EXPECT_FALSE(cache.find(1)->prepared);
}

TEST(StackCacheTest, other_code_objects_under_the_same_key_redefine_it) {
  StackCache cache(1 << 20);
  auto stack = raw_stack(1);
  stack.python.resize(2);
  stack.python[1].code = 7;
  EXPECT_FALSE(cache.redefines(stack));
  cache.add(stack);
  stack.python[1].lasti = 20;
  EXPECT_FALSE(cache.redefines(stack));
  stack.python[1].code = 8;
  EXPECT_TRUE(cache.redefines(stack));
}

TEST(StackCacheTest, stacks_of_dead_processes_are_evicted) {
  StackCache cache(1 << 20);
  for (model::StackKey key = 1; key <= 6; ++key) {
    cache.add(raw_stack(key, key % 2));
  }
  cache.drop_processes({1});
  auto evicted = cache.take_evicted();
  std::sort(evicted.begin(), evicted.end());
  EXPECT_EQ(evicted, (std::vector<model::StackKey>{1, 3, 5}));
  EXPECT_EQ(cache.size(), 3u);
}

}  // namespace
}  // namespace pyprof::symbolize
