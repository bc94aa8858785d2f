// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/summary.h"

#include <gtest/gtest.h>

#include "tests/userspace/aggregate/profile_maker.h"

namespace pyprof::aggregate {
namespace {

TEST(SummaryTest, PrefersMeasuredTime) {
  const Summary summary = summarize(test::service_profile());
  EXPECT_EQ(summary.samples, 100U);
  EXPECT_EQ(summary.weight_ns, 1'000'000'000U);
  EXPECT_EQ(summary.cpu_ns(), 1'020'000'000U);
}

TEST(SummaryTest, SharesAreByCountWhereNothingHasAWeight) {
  const model::Sample sample{0, 0, 3, 0};
  EXPECT_EQ(sample_value(sample, {3, 0, 0}), 3U);
  EXPECT_EQ(sample_value({0, 0, 3, 50}, {3, 50, 0}), 50U);
}

TEST(SummaryTest, SpellsFigures) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1'234'567), "1,234,567");
  EXPECT_EQ(utc_text(1'764'000'000'000'000'000), "2025-11-24T16:00:00Z");
  EXPECT_EQ(percent(1, 0), 0);
  EXPECT_EQ(quality_text(test::service_profile()),
            "lost 1 (0.99 %), truncated 0, unsymbolised 20 (20.00 %)");
  EXPECT_EQ(subject_text(test::service_profile()), "pid 4242 python3");
  EXPECT_EQ(subject_text(model::Profile{}), "no process");
}

TEST(SummaryTest, SaysThatKernelNamesAreHidden) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(7, "p"), 7, "p", 0);
  maker.sample(thread, {maker.kernel("", 0xffffffff81000010)}, 1);
  EXPECT_NE(quality_text(maker.profile()).find("no kernel names (see doctor)"), std::string::npos);
  maker.sample(thread, {maker.kernel("do_syscall_64", 0xffffffff81000020)}, 1);
  EXPECT_EQ(quality_text(maker.profile()).find("kernel names"), std::string::npos);
}

}  // namespace
}  // namespace pyprof::aggregate
