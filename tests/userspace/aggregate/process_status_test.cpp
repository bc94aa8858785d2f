// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/process_status.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "tests/userspace/aggregate/profile_maker.h"

namespace pyprof::aggregate {
namespace {

using model::Status;

model::ProcessInfo python_process(uint64_t samples, uint64_t whole) {
  model::ProcessInfo process;
  process.pid = 7;
  process.python_version = 0x30c;
  process.coverage.samples = samples;
  process.coverage.whole = whole;
  return process;
}

TEST(ProcessStatusTest, is_ok_from_99_percent_on) {
  EXPECT_EQ(judge(python_process(0, 0)).reason, kUnsampled);
  EXPECT_EQ(status_text(python_process(0, 0)), "ok (no samples yet)");
  auto process = python_process(1000, 990);
  process.coverage.flaws = {{"python_frame_fault", 10}};
  EXPECT_EQ(judge(process).status, Status::kOk);
  EXPECT_EQ(status_text(process), "ok");
  process.coverage.whole = 989;
  process.coverage.flaws["unnamed_python"] = 1;
  EXPECT_EQ(judge(process).status, Status::kPartial);
  EXPECT_EQ(judge(process).reason, "python_frame_fault");
  EXPECT_EQ(status_text(process),
            "partial (98.9 %: 1.0 % python_frame_fault, 0.1 % unnamed_python)");
}

TEST(ProcessStatusTest, never_rounds_what_is_missing_away) {
  auto process = python_process(100'000, 1);
  process.coverage.flaws = {{"native_no_rule", 99'999}};
  EXPECT_EQ(status_text(process), "partial (0.0 %: 99.9 % native_no_rule)");
}

TEST(ProcessStatusTest, says_why_python_cannot_be_read) {
  auto process = python_process(10, 10);
  process.python.reason = model::Unsupported::kDebugOffsets;
  process.python.detail = "CPython 3.14: its debug offsets are not those of a known build";
  EXPECT_EQ(judge(process).status, Status::kUnsupported);
  EXPECT_EQ(judge(process).reason, "debug_offsets");
  EXPECT_EQ(status_text(process), "unsupported: debug_offsets (" + process.python.detail + ")");
}

// One process with a sample of each kind of stack.
TEST(ProcessStatusTest, counts_each_sample_once) {
  test::ProfileMaker maker;
  const auto thread = maker.thread(maker.process(7, "python3"), 7, "python3");
  const auto main = maker.python("<module>", "main.py", 1);
  const auto nameless = maker.python("", "main.py", 2);
  const auto native = maker.native("work", 0, 0);
  const auto native_cut = maker.marker("[truncated: native_no_rule]");
  const auto python_cut = maker.marker("[truncated: python_frame_fault]");
  const auto table_cut = maker.marker("[truncated: frame_table_full]");
  maker.sample(thread, {native, main}, 1);
  maker.sample(thread, {native, native_cut, main}, 2);  // the Python root is there
  maker.sample(thread, {native}, 4);
  maker.sample(thread, {native, native_cut}, 8);
  maker.sample(thread, {main, python_cut}, 16);
  maker.sample(thread, {nameless, main}, 32);
  maker.sample(thread, {table_cut}, 64);
  model::Profile profile = maker.profile();
  measure_coverage(profile);
  const model::Coverage& coverage = profile.processes.front().coverage;
  EXPECT_EQ(coverage.samples, 127U);
  EXPECT_EQ(coverage.whole, 7U);
  EXPECT_EQ(coverage.flaws, (std::map<std::string, uint64_t>{{"native_no_rule", 8},
                                                             {"python_frame_fault", 16},
                                                             {"unnamed_python", 32},
                                                             {"other", 64}}));
}

TEST(ProcessStatusTest, sums_up_several_processes) {
  model::Profile profile;
  EXPECT_EQ(status_text(profile), "no process");
  profile.processes = {python_process(5, 5), python_process(5, 5), python_process(5, 1)};
  profile.processes.push_back(python_process(5, 5));
  profile.processes.back().python.reason = model::Unsupported::kVersion;
  EXPECT_EQ(status_text(profile), "2 ok, 1 partial, 1 unsupported");
}

TEST(StatusCountsTest, has_a_row_for_every_combination_and_counts_each_process_once) {
  StatusCounts counts;
  counts.add(python_process(5, 5));
  counts.add(python_process(0, 0));
  auto partial = python_process(10, 5);
  partial.coverage.flaws = {{"native_fault", 5}};
  partial.python_version = 0;  // native
  counts.add(partial);
  for (std::size_t i = 1; i < model::kUnsupportedReasons; ++i) {
    auto unsupported = python_process(0, 0);
    unsupported.python.reason = static_cast<model::Unsupported>(i);
    counts.add(unsupported);
  }
  std::set<std::tuple<std::string_view, std::string_view, std::string_view>> seen;
  uint64_t sum = 0;
  for (const auto& row : counts.rows()) {
    EXPECT_TRUE(seen.emplace(row.lang, row.status, row.reason).second) << row.reason;
    sum += row.processes;
    const bool counted = row.status == "unsupported" || row.processes > 0;
    EXPECT_EQ(row.processes, counted ? 1U : 0U) << row.reason;
  }
  EXPECT_EQ(sum, 3 + model::kUnsupportedReasons - 1);
  EXPECT_FALSE(seen.contains({"python", "unsupported", "none"}));
}

}  // namespace
}  // namespace pyprof::aggregate
