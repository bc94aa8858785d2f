// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/call_tree.h"

#include <gtest/gtest.h>

#include "tests/userspace/aggregate/profile_maker.h"
#include "userspace/aggregate/view.h"

namespace pyprof::aggregate {
namespace {

std::vector<std::string> child_texts(const CallTree& tree, uint32_t node) {
  std::vector<std::string> texts;
  for (const uint32_t child : tree.children(node))
    texts.push_back(tree.name(tree.nodes()[child]).text);
  return texts;
}

TEST(CallTreeTest, SumsFromTheRoot) {
  const CallTree tree(apply_view(test::service_profile(), {}), {});
  EXPECT_EQ(tree.nodes()[0].total_count, 100U);
  EXPECT_EQ(tree.nodes()[0].total_weight_ns, 1'000'000'000U);
  EXPECT_EQ(child_texts(tree, 0),
            (std::vector<std::string>{"<module> (main.py:12)", "_start [python3]"}));
  for (uint32_t i = 0; i < tree.nodes().size(); ++i) {
    uint64_t below = tree.nodes()[i].self_count;
    for (const uint32_t child : tree.children(i)) {
      EXPECT_EQ(tree.nodes()[child].parent, i);
      EXPECT_EQ(tree.nodes()[child].depth, tree.nodes()[i].depth + 1);
      below += tree.nodes()[child].total_count;
    }
    EXPECT_EQ(below, tree.nodes()[i].total_count);
  }
}

TEST(CallTreeTest, PutsThreadsAndProcessesAtTheRoot) {
  test::ProfileMaker maker;
  const uint32_t frame = maker.python("f", "f.py", 1);
  for (int pid : {7, 8}) {
    maker.sample(maker.thread(maker.process(pid, "app"), pid, "main"), {frame}, 1);
  }
  TreeOptions options;
  options.threads = true;
  const CallTree tree(maker.profile(), options);
  ASSERT_EQ(child_texts(tree, 0), (std::vector<std::string>{"process app (7)", "process app (8)"}));
  EXPECT_EQ(child_texts(tree, tree.children(0)[1]), std::vector<std::string>{"thread main (8)"});
}

TEST(CallTreeTest, KeepsSumsWhenFull) {
  TreeOptions options;
  options.max_nodes = 4;
  const CallTree tree(test::service_profile(), options);
  EXPECT_LE(tree.nodes().size(), 8U);
  EXPECT_EQ(tree.nodes()[0].total_count, 100U);
}

TEST(CallTreeTest, SaysWhereAStackHasNoFrames) {
  test::ProfileMaker maker;
  maker.sample(maker.thread(maker.process(7, "app"), 7, "main"), {}, 3);
  const CallTree tree(maker.profile(), {});
  EXPECT_EQ(child_texts(tree, 0), std::vector<std::string>{"[no frames]"});
}

TEST(CallTreeTest, AnEmptyProfileIsItsRoot) {
  const CallTree tree(model::Profile{}, {});
  EXPECT_EQ(tree.nodes().size(), 1U);
  EXPECT_TRUE(tree.children(0).empty());
}

}  // namespace
}  // namespace pyprof::aggregate
