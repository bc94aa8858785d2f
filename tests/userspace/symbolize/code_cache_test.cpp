// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/code_cache.h"

#include <gtest/gtest.h>

namespace pyprof::symbolize {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

model::CodeObject code_object(model::ProcessId process, uint64_t id, const std::string& qualname) {
  model::CodeObject code;
  code.process = process;
  code.id = id;
  code.qualname = qualname;
  code.filename = "/srv/app.py";
  code.first_line = 1;
  code.version = 3 << 8 | 12;
  // def f(a): x = a; return g(x,\n 1) as CPython 3.12 compiles it.
  const uint8_t table[] = {0x80, 0x00, 0xd8, 0x08, 0x09, 0x80, 0x41, 0xe4, 0x0b,
                           0x0c, 0x88, 0x51, 0xd8, 0x0d, 0x0e, 0xf3, 0x03, 0x01,
                           0x0c, 0x10, 0xf0, 0x00, 0x01, 0x05, 0x10};
  code.line_table.assign(table, table + sizeof(table));
  code.line_table_bytes = sizeof(table);
  return code;
}

TEST(CodeCacheTest, gives_names_and_lines_of_the_process_that_has_them) {
  CodeCache cache;
  EXPECT_FALSE(cache.add(code_object(1, 7, "Klass.method")));
  EXPECT_FALSE(cache.add(code_object(2, 7, "other")));
  CachedCode* code = cache.find(1, 7);
  ASSERT_NE(code, nullptr);
  EXPECT_EQ(code->qualname(), "Klass.method");
  EXPECT_EQ(code->line(-2), 1u);
  EXPECT_EQ(code->line(2), 2u);
  EXPECT_EQ(code->line(6), 4u);
  EXPECT_EQ(code->line(18), 5u);
  EXPECT_EQ(code->line(20), 4u);
  EXPECT_EQ(code->line(1000), 0u);
  EXPECT_EQ(cache.find(2, 7)->qualname(), "other");
  EXPECT_EQ(cache.find(3, 7), nullptr);
  EXPECT_EQ(cache.find(1, 8), nullptr);
}

TEST(CodeCacheTest, later_record_of_the_same_object_replaces_the_first) {
  CodeCache cache;
  cache.add(code_object(1, 7, ""));
  EXPECT_TRUE(cache.add(code_object(1, 7, "read_again")));
  EXPECT_EQ(cache.find(1, 7)->qualname(), "read_again");
  EXPECT_EQ(cache.size(), 1u);
}

TEST(CodeCacheTest, cut_record_does_not_replace_a_whole_one) {
  CodeCache cache;
  cache.add(code_object(1, 7, "whole_name"));
  model::CodeObject cut = code_object(1, 7, "whole_");
  cut.complete = false;
  EXPECT_FALSE(cache.add(std::move(cut)));
  EXPECT_EQ(cache.find(1, 7)->qualname(), "whole_name");
}

TEST(CodeCacheTest, least_recently_used_go_first_under_the_byte_cap) {
  CodeCache cache({.bytes = 10 * CachedCode(code_object(1, 1, "f")).bytes()});
  for (uint64_t id = 1; id <= 10; ++id) {
    cache.add(code_object(1, id, "f"));
  }
  EXPECT_NE(cache.find(1, 1), nullptr);
  cache.add(code_object(1, 11, "f"));
  EXPECT_NE(cache.find(1, 1), nullptr);
  EXPECT_EQ(cache.find(1, 2), nullptr);
  EXPECT_EQ(cache.size(), 10u);
}

TEST(CodeCacheTest, everything_is_given_back_when_all_is_gone) {
  CodeCache cache;
  for (uint64_t id = 1; id <= 100; ++id) {
    cache.add(code_object(id % 3, id, std::string(id, 'x')));
  }
  for (model::ProcessId process = 0; process < 3; ++process) {
    cache.process_exited(process, 0);
  }
  cache.expire(3600 * kSecond);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(CodeCacheTest, codes_of_a_process_outlive_it_by_the_grace_time) {
  CodeCache cache;
  cache.add(code_object(1, 7, "f"));
  cache.add(code_object(2, 7, "g"));
  cache.process_exited(1, 100 * kSecond);
  EXPECT_TRUE(cache.expire(109 * kSecond).empty());
  EXPECT_NE(cache.find(1, 7), nullptr);
  EXPECT_EQ(cache.expire(110 * kSecond), std::vector<model::ProcessId>{1});
  EXPECT_EQ(cache.find(1, 7), nullptr);
  EXPECT_NE(cache.find(2, 7), nullptr);
}

}  // namespace
}  // namespace pyprof::symbolize
