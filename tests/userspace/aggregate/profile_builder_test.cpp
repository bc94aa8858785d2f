// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/profile_builder.h"

#include <gtest/gtest.h>

#include "tests/userspace/aggregate/profile_maker.h"
#include "userspace/aggregate/summary.h"

namespace pyprof::aggregate {
namespace {

// Stack i is frame i alone; its names come from a profile written by hand.
class Stacks : public StackSource {
 public:
  explicit Stacks(model::Profile tables) : tables_(std::move(tables)) {
    for (uint32_t i = 0; i < tables_.frames.size(); ++i)
      tables_.stacks.push_back({{i}});
  }
  const model::Stack& stack(uint32_t id) const override { return tables_.stacks.at(id); }
  const model::Frame& frame(uint32_t id) const override { return tables_.frames.at(id); }
  const model::Module& module(uint32_t id) const override { return tables_.modules.at(id); }

 private:
  model::Profile tables_;
};

Stacks make_stacks() {
  test::ProfileMaker maker;
  maker.module("/lib/unused.so");
  const uint32_t libc = maker.module("/lib/libc.so.6");
  maker.python("f", "f.py", 1);
  maker.native("malloc", libc, 1);
  maker.python("", "", 0);
  maker.native("", libc, 2);
  maker.marker("[truncated: python_depth]");
  maker.marker("[truncated: native_no_rule]");
  return Stacks(maker.profile());
}

model::ProcessInfo describe(model::ProcessId, int32_t pid) {
  model::ProcessInfo info;
  info.comm = "app" + std::to_string(pid);
  return info;
}

constexpr uint64_t kPeriodNs = 10'000'000;

StackSample sample(int32_t pid, int32_t tid, uint32_t stack, uint64_t count = 1) {
  return {static_cast<model::ProcessId>(pid), pid, tid, stack, count, count * kPeriodNs};
}

StackSample labelled(model::Gil gil, model::TaskId task, std::string_view name) {
  StackSample made = sample(1, 11, 1);
  made.labels.gil = gil;
  made.labels.has_task = task != 0;
  made.labels.task = task;
  made.task = name;
  return made;
}

TEST(ProfileBuilderTest, TellsLabelsApartOnlyWhenAsked) {
  for (const bool asked : {false, true}) {
    BuilderOptions options;
    options.labels = asked;
    ProfileBuilder builder(options);
    builder.add(labelled(model::Gil::kHeld, 0, ""));
    builder.add(labelled(model::Gil::kHeld, 5, ""));
    builder.add(labelled(model::Gil::kHeld, 5, "fetch"));
    builder.add(labelled(model::Gil::kReleased, 0, ""));
    const model::Profile profile = builder.finish(make_stacks(), {}, describe);
    ASSERT_EQ(profile.samples.size(), asked ? 3U : 1U);
    ASSERT_EQ(profile.labels.size(), asked ? 3U : 0U);
    if (!asked) continue;
    EXPECT_EQ(profile.labels[1].task, "fetch") << "a name that comes late is taken, too";
    EXPECT_EQ(profile.samples[1].count, 2U);
    EXPECT_EQ(profile.samples[1].labels, 2U);
  }
}

TEST(ProfileBuilderTest, SamplesOverTheLimitOfLabelsHaveNone) {
  BuilderOptions options;
  options.labels = true;
  options.max_labels = 1;
  ProfileBuilder builder(options);
  builder.add(labelled(model::Gil::kHeld, 1, "a"));
  builder.add(labelled(model::Gil::kHeld, 2, "b"));
  const model::Profile profile = builder.finish(make_stacks(), {}, describe);
  ASSERT_EQ(profile.samples.size(), 2U);
  EXPECT_EQ(profile.labels.size(), 1U);
  EXPECT_EQ(profile.samples[0].labels + profile.samples[1].labels, 1U);
}

TEST(ProfileBuilderTest, CountsPerThreadAndStackAndCopiesWhatIsUsed) {
  ProfileBuilder builder;
  builder.add(sample(1, 11, 1));
  builder.add(sample(1, 11, 1));
  builder.add(sample(1, 12, 1));
  builder.add(sample(1, 11, 0, 5));
  const model::Profile profile = builder.finish(make_stacks(), {}, describe);
  ASSERT_EQ(profile.processes.size(), 1U);
  EXPECT_EQ(profile.processes[0].comm, "app1");
  EXPECT_EQ(profile.threads.size(), 2U);
  EXPECT_EQ(profile.samples.size(), 3U);
  EXPECT_EQ(profile.frames.size(), 2U);
  ASSERT_EQ(profile.modules.size(), 1U);
  EXPECT_EQ(profile.modules[0].path, "/lib/libc.so.6");
  for (const model::Frame& frame : profile.frames) {
    EXPECT_EQ(frame.module, frame.kind == model::FrameKind::kNative ? 1U : 0U);
  }
  EXPECT_EQ(summarize(profile).samples, 8U);
  EXPECT_EQ(summarize(profile).weight_ns, 8 * kPeriodNs);
  EXPECT_EQ(profile.quality.samples, 8U);
}

TEST(ProfileBuilderTest, StartsTheNextWindowEmpty) {
  ProfileBuilder builder;
  builder.add(sample(1, 11, 1));
  (void)builder.finish(make_stacks(), {}, describe);
  EXPECT_EQ(builder.samples(), 0U);
  EXPECT_TRUE(builder.finish(make_stacks(), {}, describe).samples.empty());
}

TEST(ProfileBuilderTest, KeepsOnlyTheProcessesAskedFor) {
  BuilderOptions options;
  options.pids = {2};
  ProfileBuilder builder(options);
  builder.add(sample(1, 11, 1));
  builder.add(sample(2, 21, 1));
  builder.add_thread(1, 1, 12, "x", "", 5);
  const model::Profile profile = builder.finish(make_stacks(), {}, describe);
  ASSERT_EQ(profile.processes.size(), 1U);
  EXPECT_EQ(profile.processes[0].pid, 2);
  EXPECT_EQ(profile.threads.size(), 1U);
}

TEST(ProfileBuilderTest, RowsOverTheCapCountAsOther) {
  BuilderOptions options;
  options.max_rows = 2;
  ProfileBuilder builder(options);
  for (uint32_t stack = 0; stack < 5; ++stack)
    builder.add(sample(1, 11, stack));
  builder.add(sample(1, 11, 0));
  EXPECT_EQ(builder.overflowed(), 3U);
  const model::Profile profile = builder.finish(make_stacks(), {}, describe);
  ASSERT_EQ(profile.samples.size(), 3U);
  const model::Sample& other = profile.samples.back();
  EXPECT_EQ(other.count, 3U);
  EXPECT_EQ(profile.frames[profile.stacks[other.stack].frames.at(0)].function, "[other]");
  EXPECT_EQ(profile.threads[other.thread].tid, 11);
  EXPECT_EQ(summarize(profile).samples, 6U);
}

TEST(ProfileBuilderTest, ThreadsOverTheCapCountAsOther) {
  BuilderOptions options;
  options.max_threads = 3;
  ProfileBuilder builder(options);
  for (int32_t tid = 1; tid <= 10; ++tid)
    builder.add(sample(tid, tid, 1));
  builder.add_thread(99, 99, 99, "late", "", 7);
  const model::Profile profile = builder.finish(make_stacks(), {}, describe);
  EXPECT_EQ(profile.threads.size(), 4U);
  EXPECT_EQ(profile.processes[0].comm, "[other]");
  EXPECT_EQ(summarize(profile).samples, 10U);
  EXPECT_EQ(summarize(profile).measured_ns, 7U);
}

TEST(ProfileBuilderTest, KeepsThreadsThatUsedCpuWithoutASample) {
  ProfileBuilder builder;
  builder.add_thread(1, 1, 12, "quiet", "", 5'000);
  builder.add_thread(1, 1, 12, "", "Worker-1", 5'000);
  builder.add_thread(1, 1, 13, "idle", "", 0);
  const model::Profile profile = builder.finish(make_stacks(), {}, describe);
  ASSERT_EQ(profile.threads.size(), 1U);
  EXPECT_EQ(profile.threads[0].comm, "quiet");
  EXPECT_EQ(profile.threads[0].python_name, "Worker-1");
  EXPECT_EQ(profile.threads[0].cpu_ns, 10'000U);
}

TEST(ProfileBuilderTest, TheSamePidAfterAnExecIsAnotherProcess) {
  ProfileBuilder builder;
  builder.add({100, 1, 1, 0, 1, kPeriodNs});
  builder.add({200, 1, 1, 0, 1, kPeriodNs});
  const model::Profile profile = builder.finish(make_stacks(), {}, describe);
  EXPECT_EQ(profile.processes.size(), 2U);
  EXPECT_EQ(profile.threads.size(), 2U);
}

TEST(ProfileBuilderTest, CountsWhatIsWrongWithSamples) {
  ProfileBuilder builder;
  builder.add(sample(1, 1, 2, 2));
  builder.add(sample(1, 1, 3, 3));
  builder.add(sample(1, 1, 4, 4));
  builder.add(sample(1, 1, 5, 5));
  WindowInfo window;
  window.quality.lost = 6;
  const model::Quality quality = builder.finish(make_stacks(), window, describe).quality;
  EXPECT_EQ(quality.unnamed_python, 2U);
  EXPECT_EQ(quality.unnamed_native, 3U);
  EXPECT_EQ(quality.truncated_python, 4U);
  EXPECT_EQ(quality.truncated_native, 5U);
  EXPECT_EQ(quality.lost, 6U);
}

}  // namespace
}  // namespace pyprof::aggregate
