// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/profile_sum.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/userspace/aggregate/profile_maker.h"
#include "userspace/aggregate/frame_text.h"

namespace pyprof::aggregate {
namespace {

uint64_t count_of(const model::Profile& profile) {
  return std::accumulate(profile.samples.begin(), profile.samples.end(), uint64_t{0},
                         [](uint64_t sum, const auto& sample) { return sum + sample.count; });
}

TEST(ProfileSumTest, TwoEqualWindowsAreOneOfTwiceTheTime) {
  const model::Profile part = test::service_profile();
  ProfileSum sum;
  sum.add(part);
  sum.add(part);
  const model::Profile& all = sum.profile();
  EXPECT_EQ(count_of(all), 2 * count_of(part));
  EXPECT_EQ(all.duration_ns, 2 * part.duration_ns);
  EXPECT_EQ(all.quality.samples, 2 * part.quality.samples);
  EXPECT_EQ(all.quality.lost, 2 * part.quality.lost);
  EXPECT_EQ(all.samples.size(), part.samples.size());
  EXPECT_EQ(all.processes.size(), part.processes.size());
  ASSERT_EQ(all.threads.size(), part.threads.size());
  EXPECT_EQ(all.threads[0].cpu_ns, 2 * part.threads[0].cpu_ns);
  for (std::size_t i = 0; i < part.samples.size(); ++i) {
    const auto& before = part.stacks[part.samples[i].stack].frames;
    const auto& after = all.stacks[all.samples[i].stack].frames;
    ASSERT_EQ(before.size(), after.size());
    for (std::size_t k = 0; k < before.size(); ++k)
      EXPECT_EQ(frame_text(part, part.frames[before[k]]), frame_text(all, all.frames[after[k]]));
  }
}

TEST(ProfileSumTest, OverItsLimitsWhatIsNewIsOther) {
  const model::Profile part = test::service_profile(), many = test::hostile_profile();
  ProfileSum sum({3, 2});
  sum.add(part);
  for (int i = 0; i < 3; ++i)
    sum.add(many);
  EXPECT_EQ(count_of(sum.profile()), count_of(part) + 3 * count_of(many));
  EXPECT_LE(sum.profile().samples.size(), 4U);
  EXPECT_LE(sum.profile().threads.size(), 3U);
  EXPECT_LE(sum.profile().frames.size(), 30U);
  EXPECT_GT(sum.profile().quality.faults.at("live_limit"), 0U);
}

}  // namespace
}  // namespace pyprof::aggregate
