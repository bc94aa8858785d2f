// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/folded.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "tests/golden/golden.h"
#include "tests/userspace/aggregate/profile_maker.h"
#include "userspace/aggregate/view.h"

namespace pyprof::exporter {
namespace {

// Sum of the counts; every line must be "something COUNT".
uint64_t sum_counts(const std::string& folded) {
  std::istringstream lines(folded);
  uint64_t sum = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t blank = line.rfind(' ');
    EXPECT_NE(blank, std::string::npos) << line;
    EXPECT_GT(blank, 0U) << line;
    sum += std::stoull(line.substr(blank + 1));
  }
  return sum;
}

TEST(FoldedTest, MatchesTheGoldenFiles) {
  const model::Profile profile = test::service_profile();
  test::expect_golden("service.folded.expect", to_folded(aggregate::apply_view(profile, {}), {}));
  FoldedOptions options;
  options.threads = true;
  options.text.full_paths = true;
  const model::Profile native = aggregate::apply_view(profile, {true, false});
  test::expect_golden("service_native_threads.folded.expect", to_folded(native, options));
}

TEST(FoldedTest, CountsSumUpToTheSamples) {
  EXPECT_EQ(sum_counts(to_folded(test::service_profile(), {})), 100U);
  EXPECT_EQ(sum_counts(to_folded(test::hostile_profile(), {})), 55U);
}

TEST(FoldedTest, HostileNamesAddNoFrameAndNoLine) {
  const std::string folded = to_folded(test::hostile_profile(), {});
  EXPECT_EQ(std::count(folded.begin(), folded.end(), '\n'), std::ssize(test::kHostileNames));
  std::istringstream lines(folded);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_EQ(std::count(line.begin(), line.end(), ';'), 4) << line;
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
  }
  EXPECT_NE(folded.find("a:b:c 99 (a:b:c 99:1);"), std::string::npos) << folded;
}

TEST(FoldedTest, OverTheCapKeepsTheSum) {
  FoldedOptions options;
  options.max_bytes = 200;
  const std::string folded = to_folded(test::service_profile(), options);
  EXPECT_LE(folded.size(), 220U);
  EXPECT_NE(folded.find("[other] "), std::string::npos);
  EXPECT_EQ(sum_counts(folded), 100U);
}

TEST(FoldedTest, AnEmptyProfileHasNoLines) {
  EXPECT_EQ(to_folded({}, {}), "");
}

}  // namespace
}  // namespace pyprof::exporter
