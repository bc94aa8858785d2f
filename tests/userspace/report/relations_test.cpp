// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/relations.h"

#include <gtest/gtest.h>

#include "tests/userspace/aggregate/profile_maker.h"

namespace pyprof::report {
namespace {

class RelationsTest : public testing::Test {
 protected:
  RelationsTest() : thread_(maker_.thread(maker_.process(1, "app"), 1, "app")) {}

  std::vector<TreeRow> tree(double least = 1, std::size_t limit = 100) {
    return call_tree_rows(maker_.profile(), aggregate::summarize(maker_.profile()), least, limit,
                          false);
  }
  std::vector<EdgeRow> edges(std::size_t limit = 100) {
    return edge_rows(maker_.profile(), aggregate::summarize(maker_.profile()), limit, false);
  }

  test::ProfileMaker maker_;
  uint32_t thread_;
  uint32_t main_ = maker_.python("main", "/srv/app.py", 9, 1);
  uint32_t serve_ = maker_.python("serve", "/srv/app.py", 20, 18);
  uint32_t parse_ = maker_.python("parse", "/srv/app.py", 31, 30);
  uint32_t write_ = maker_.python("write", "/srv/app.py", 41, 40);
};

TEST_F(RelationsTest, a_chain_shares_a_line_and_the_heaviest_callee_comes_first) {
  maker_.sample(thread_, {main_, serve_, write_}, 30);
  maker_.sample(thread_, {main_, serve_, parse_}, 69);
  maker_.sample(thread_, {main_, serve_, maker_.python("rare", "r.py", 1)}, 1);
  const auto rows = tree(2);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].text, "main (app.py:9) > serve (app.py:20)");
  EXPECT_EQ(rows[0].total, 100);
  EXPECT_EQ(rows[0].self, 0);
  EXPECT_EQ(rows[0].hidden, 1u);
  EXPECT_EQ(rows[1].text, "parse (app.py:31)");
  EXPECT_EQ(rows[1].depth, 1u);
  EXPECT_EQ(rows[1].self, 69);
  EXPECT_EQ(rows[2].text, "write (app.py:41)");
  EXPECT_EQ(tree(2, 2).size(), 2u);
}

TEST_F(RelationsTest, a_caller_with_time_of_its_own_has_its_line) {
  maker_.sample(thread_, {main_, serve_}, 50);
  maker_.sample(thread_, {main_}, 50);
  const auto rows = tree();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].text, "main (app.py:9)");
  EXPECT_EQ(rows[0].self, 50);
}

TEST_F(RelationsTest, edges_are_between_the_calling_line_and_the_def) {
  maker_.sample(thread_, {main_, serve_, parse_}, 60);
  maker_.sample(thread_, {main_, serve_, parse_, write_}, 40);
  const auto rows = edges();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].caller, "main (app.py:9)");
  EXPECT_EQ(rows[0].callee, "serve (app.py:18)");
  EXPECT_EQ(rows[1].caller, "serve (app.py:20)");
  EXPECT_EQ(rows[1].callee, "parse (app.py:30)");
  EXPECT_EQ(rows[1].total, 100);
  EXPECT_EQ(rows[1].self, 60);
  EXPECT_EQ(rows[2].total, 40);
  EXPECT_EQ(edges(1).size(), 1u);
}

TEST_F(RelationsTest, recursion_is_no_edge_and_counts_once) {
  maker_.sample(thread_, {main_, serve_, parse_, serve_, parse_, parse_}, 10);
  for (const auto& row : edges()) {
    EXPECT_LE(row.total, 100);
    EXPECT_FALSE(row.caller.starts_with("parse") && row.callee.starts_with("parse"));
  }
}

TEST_F(RelationsTest, packages_share_all_self_time) {
  maker_.sample(thread_, {main_, maker_.python("dumps", "/usr/lib/python3.11/json/x.py", 1)}, 25);
  maker_.sample(thread_, {main_, maker_.native("conv", maker_.module("/l/libconv.so"), 1)}, 70);
  maker_.sample(thread_, {main_, maker_.marker("[truncated: native_depth]")}, 5);
  const auto& profile = maker_.profile();
  const auto rows = package_rows(profile, aggregate::summarize(profile), 10);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].package, "libconv.so");
  EXPECT_EQ(rows[0].self, 70);
  EXPECT_EQ(rows[1].package, "stdlib");
  EXPECT_EQ(rows[2].package, "app");
  EXPECT_EQ(rows[2].self, 5);
}

}  // namespace
}  // namespace pyprof::report
