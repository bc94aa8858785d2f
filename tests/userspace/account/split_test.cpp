// SPDX-License-Identifier: Apache-2.0
#include "userspace/account/split.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <random>

namespace pyprof::account {
namespace {

using Shares = std::vector<uint64_t>;

Shares split_of(uint64_t total, const Shares& weights) {
  return split(total, weights);
}

TEST(SplitTest, exact_proportions_stay_exact) {
  EXPECT_EQ(split_of(100, {1, 1, 2}), (Shares{25, 25, 50}));
  EXPECT_EQ(split_of(7, {7}), (Shares{7}));
  EXPECT_EQ(split_of(0, {3, 4}), (Shares{0, 0}));
}

TEST(SplitTest, leftover_goes_to_the_largest_remainders) {
  EXPECT_EQ(split_of(10, {1, 1, 1}), (Shares{4, 3, 3}));
  EXPECT_EQ(split_of(10, {15, 25, 60}), (Shares{2, 2, 6}));  // 1.5, 2.5, 6.0
  EXPECT_EQ(split_of(1, {1, 3}), (Shares{0, 1}));
}

TEST(SplitTest, without_weight_nothing_is_shared) {
  EXPECT_EQ(split_of(10, {}), Shares{});
  EXPECT_EQ(split_of(10, {0, 0}), (Shares{0, 0}));
  EXPECT_EQ(split_of(10, {0, 5, 0}), (Shares{0, 10, 0}));
}

TEST(SplitTest, extremes_do_not_overflow) {
  const Shares shares = split_of(UINT64_MAX, {UINT64_MAX, UINT64_MAX, 1});
  EXPECT_EQ(shares[0] + shares[1] + shares[2], UINT64_MAX);
  EXPECT_LE(shares[2], 1u);
}

TEST(SplitTest, sum_is_exact_and_each_share_within_one_of_its_quota) {
  std::mt19937_64 random(42);
  for (int round = 0; round < 2000; ++round) {
    Shares weights(1 + random() % 50);
    for (auto& weight : weights)
      weight = random() >> (random() % 64);
    const uint64_t total = random() >> (random() % 64);
    const auto sum = std::accumulate(weights.begin(), weights.end(), 0.0L);
    if (sum == 0) continue;
    const Shares shares = split(total, weights);
    EXPECT_EQ(std::accumulate(shares.begin(), shares.end(), uint64_t{0}), total);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const long double quota = static_cast<long double>(total) * weights[i] / sum;
      EXPECT_LE(std::abs(static_cast<long double>(shares[i]) - quota), 1.0L + quota * 1e-15L);
    }
  }
}

}  // namespace
}  // namespace pyprof::account
