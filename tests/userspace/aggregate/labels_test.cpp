// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/labels.h"

#include <gtest/gtest.h>

#include "tests/userspace/aggregate/profile_maker.h"
#include "userspace/aggregate/call_tree.h"
#include "userspace/aggregate/label_evidence.h"
#include "userspace/aggregate/view.h"

namespace pyprof::aggregate {
namespace {

using model::FrameKind;
using model::Gc;
using model::Gil;
using model::Labels;

// The sample made last gets these labels.
void label(test::ProfileMaker& maker, const Labels& labels) {
  maker.profile().labels.push_back(labels);
  maker.profile().samples.back().labels = static_cast<uint32_t>(maker.profile().labels.size());
}

TEST(LabelsTest, group_words_are_read_and_said) {
  for (const char* word : {"thread", "task", "gil", "gc", "interpreter"}) {
    const auto by = parse_group(word);
    ASSERT_TRUE(by) << word;
    EXPECT_STREQ(group_name(*by), word);
  }
  EXPECT_EQ(parse_group(""), GroupBy::kNone);
  EXPECT_FALSE(parse_group("colour"));
  EXPECT_TRUE(needs_labels(GroupBy::kTask));
  EXPECT_FALSE(needs_labels(GroupBy::kThread));
}

TEST(LabelsTest, groups_say_what_is_known) {
  test::ProfileMaker maker;
  const uint32_t process = maker.process(7, "python3");
  const uint32_t thread = maker.thread(process, 8, "worker");
  maker.sample(thread, {maker.python("f", "a.py", 1)}, 1);
  const auto& profile = maker.profile();
  EXPECT_EQ(group_text(profile, profile.samples[0], GroupBy::kGil), "gil [unknown]");
  EXPECT_EQ(group_text(profile, profile.samples[0], GroupBy::kTask),
            "task [not told before CPython 3.14]");
  label(maker, {Gil::kFreeThreaded, Gc::kRunning, 3, true, "a\nb"});
  EXPECT_EQ(group_text(profile, profile.samples[0], GroupBy::kGil), "gil free-threaded");
  EXPECT_EQ(group_text(profile, profile.samples[0], GroupBy::kGc), "gc running");
  EXPECT_EQ(group_text(profile, profile.samples[0], GroupBy::kInterpreter), "interpreter 3");
  EXPECT_EQ(group_text(profile, profile.samples[0], GroupBy::kTask), "task a b");
  EXPECT_EQ(group_text(profile, profile.samples[0], GroupBy::kThread), "thread worker (8)");
  label(maker, {Gil::kHeld, Gc::kIdle, 0, true, ""});
  EXPECT_EQ(group_text(profile, profile.samples[0], GroupBy::kTask), "task [unnamed]");
  EXPECT_EQ(group_text(profile, profile.samples[0], GroupBy::kImport), "import [unknown]");
  label(maker, {Gil::kHeld, Gc::kIdle, 0, false, "", model::Import::kRunning});
  EXPECT_EQ(group_text(profile, profile.samples[0], GroupBy::kImport), "import running");
}

TEST(LabelsTest, graphs_have_the_group_at_the_root_and_views_keep_it) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(7, "python3"), 8, "worker");
  const uint32_t frame = maker.python("f", "a.py", 1);
  maker.sample(thread, {frame}, 2);
  label(maker, {Gil::kHeld, Gc::kIdle, 0, false, ""});
  maker.sample(thread, {frame}, 3);
  label(maker, {Gil::kReleased, Gc::kIdle, 0, false, ""});
  const auto shown = apply_view(maker.profile(), {});
  TreeOptions options;
  options.by = GroupBy::kGil;
  options.threads = true;
  const CallTree tree(shown, options);
  const auto groups = tree.children(0);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(tree.name(tree.nodes()[groups[0]]).text, "gil held");
  EXPECT_EQ(tree.nodes()[groups[0]].total_count, 2U);
  EXPECT_EQ(tree.nodes()[groups[1]].total_count, 3U);
  const auto below = tree.children(groups[0]);
  ASSERT_EQ(below.size(), 1U);
  EXPECT_EQ(tree.name(tree.nodes()[below[0]]).text, "thread worker (8)");
}

TEST(LabelsTest, gil_holders_keep_their_share_of_the_measured_time) {
  test::ProfileMaker maker;
  const uint32_t process = maker.process(7, "python3");
  const uint32_t mixed = maker.thread(process, 8, "mixed", 1'000'000'000);
  const uint32_t free = maker.thread(process, 9, "free", 500'000'000);
  const uint32_t frame = maker.python("f", "a.py", 1);
  maker.sample(mixed, {frame}, 25);
  label(maker, {Gil::kHeld, Gc::kIdle, 0, false, ""});
  maker.sample(mixed, {frame}, 75);
  label(maker, {Gil::kReleased, Gc::kIdle, 0, false, ""});
  maker.sample(free, {frame}, 50);
  label(maker, {Gil::kWanted, Gc::kIdle, 0, false, ""});
  const auto holders = only_gil_holders(maker.profile());
  ASSERT_EQ(holders.samples.size(), 1U);
  EXPECT_EQ(holders.samples[0].count, 25U);
  EXPECT_EQ(holders.threads[mixed].cpu_ns, 250'000'000U);
  EXPECT_EQ(holders.threads[free].cpu_ns, 0U);
}

TEST(LabelEvidenceTest, thread_without_the_gil_in_take_gil_waits) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(7, "python3"), 8, "worker");
  const uint32_t module = maker.module("/usr/bin/python3");
  const uint32_t eval =
      maker.native("_PyEval_EvalFrameDefault", module, 1, FrameKind::kInterpreter);
  const uint32_t take = maker.native("take_gil.constprop.0", module, 2, FrameKind::kInterpreter);
  const uint32_t wait = maker.native("pthread_cond_timedwait", maker.module("libc.so.6"), 3);
  const Labels released{Gil::kReleased, Gc::kIdle, 0, false, ""};
  maker.sample(thread, {eval, take, wait}, 1);
  label(maker, released);
  maker.sample(thread, {eval, wait}, 1);
  label(maker, released);
  maker.sample(thread, {eval, take, wait}, 1);
  label(maker, {Gil::kHeld, Gc::kIdle, 0, false, ""});
  auto& profile = maker.profile();
  settle_labels(profile);
  EXPECT_EQ(labels_of(profile, profile.samples[0]).gil, Gil::kWanted);
  EXPECT_EQ(labels_of(profile, profile.samples[1]).gil, Gil::kReleased);
  EXPECT_EQ(labels_of(profile, profile.samples[2]).gil, Gil::kHeld);
}

class CollectorTest : public ::testing::Test {
 protected:
  CollectorTest()
      : process_(maker_.process(7, "python3")),
        collector_(maker_.thread(process_, 8, "collector")),
        beside_(maker_.thread(process_, 9, "beside")),
        eval_(interpreter("", 1)),
        collect_(interpreter("", 2)),
        visit_(interpreter("", 3)),
        add_(interpreter("PyNumber_Add", 4)) {}

  uint32_t interpreter(const char* name, uint64_t address) {
    return maker_.native(name, module_, address, FrameKind::kInterpreter);
  }
  // Answers its index.
  std::size_t sample(uint32_t thread, std::initializer_list<uint32_t> frames, Gc gc) {
    maker_.sample(thread, frames, 30);
    label(maker_, {Gil::kHeld, gc, 0, false, ""});
    return maker_.profile().samples.size() - 1;
  }
  Gc settled(std::size_t sample) {
    return labels_of(maker_.profile(), maker_.profile().samples[sample]).gc;
  }

  test::ProfileMaker maker_;
  uint32_t module_ = maker_.module("/usr/bin/python3");
  uint32_t process_, collector_, beside_, eval_, collect_, visit_, add_;
};

TEST_F(CollectorTest, thread_that_runs_during_a_callback_does_not_collect) {
  const auto deep = sample(collector_, {eval_, collect_, visit_}, Gc::kRunning);
  const auto flat = sample(collector_, {eval_, collect_}, Gc::kRunning);
  const auto beside = sample(beside_, {eval_, add_}, Gc::kRunning);
  sample(beside_, {eval_, add_}, Gc::kIdle);
  settle_labels(maker_.profile());
  EXPECT_EQ(settled(deep), Gc::kRunning);
  EXPECT_EQ(settled(flat), Gc::kRunning);
  EXPECT_EQ(settled(beside), Gc::kIdle);
}

TEST_F(CollectorTest, nothing_is_taken_back_where_no_stack_shows_the_collector) {
  const auto flat = sample(collector_, {eval_, collect_}, Gc::kRunning);
  sample(collector_, {eval_, add_}, Gc::kIdle);
  settle_labels(maker_.profile());
  EXPECT_EQ(settled(flat), Gc::kRunning);
}

}  // namespace
}  // namespace pyprof::aggregate
