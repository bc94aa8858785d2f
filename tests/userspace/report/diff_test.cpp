// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/diff.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "tests/userspace/aggregate/profile_maker.h"
#include "userspace/report/diff_text.h"

namespace pyprof::report {
namespace {

// A service whose foo() costs `foo` samples of 10 ms and bar() `bar`, in 10 s.
model::Profile service(uint64_t foo, uint64_t bar) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(1, "app"), 1, "app");
  const uint32_t work = maker.python("work", "/srv/app.py", 3);
  if (foo > 0) maker.sample(thread, {work, maker.python("foo", "/srv/app.py", 10)}, foo);
  if (bar > 0) maker.sample(thread, {work, maker.python("bar", "/srv/app.py", 20)}, bar);
  return maker.profile();
}

const DiffRow& row(const std::vector<DiffRow>& rows, const std::string& name) {
  static const DiffRow none{"none", "", {}};
  for (const auto& each : rows)
    if (each.name == name) return each;
  return none;
}

TEST(DiffTest, the_example_of_the_article) {
  const auto diff = compare(service(750, 250), service(80, 250), {});
  ASSERT_TRUE(diff) << diff.error().message;
  EXPECT_NEAR(diff->ratio, 0.33, 1e-9);
  EXPECT_LT(diff->ratio_low, 0.33);
  EXPECT_GT(diff->ratio_high, 0.33);
  const auto& foo = row(diff->totals, "foo").change;
  EXPECT_NEAR(foo.before, 0.75, 1e-9);
  EXPECT_NEAR(foo.after, 0.08, 1e-9);
  EXPECT_TRUE(foo.significant());
  EXPECT_FALSE(row(diff->totals, "bar").change.significant());
  const std::string text = diff_text(*diff, {"a", "b", 100'000, 0.04});
  EXPECT_NE(text.find("savings: 100,000 a year become 33,000 ("), std::string::npos) << text;
  EXPECT_NE(text.find("savings: 1.00 cores become 0.33 ("), std::string::npos) << text;
  EXPECT_NE(text.find("16.08 core-hours a day less"), std::string::npos) << text;
  EXPECT_NE(text.find("savings: 351 a year become 116 ("), std::string::npos) << text;
}

TEST(DiffTest, per_unit_of_work) {
  DiffOptions options;
  options.unit = DiffUnit::kWork;
  options.work_before = 1000;
  options.work_after = 2000;
  const auto diff = compare(service(750, 250), service(750, 250), options);
  ASSERT_TRUE(diff);
  EXPECT_NEAR(diff->total.before, 0.01, 1e-9);
  EXPECT_NEAR(diff->ratio, 0.5, 1e-9);
}

TEST(DiffTest, per_cpu_second_compares_shares) {
  DiffOptions options;
  options.unit = DiffUnit::kCpu;
  const auto diff = compare(service(750, 250), service(75, 25), options);
  ASSERT_TRUE(diff);
  EXPECT_NEAR(row(diff->totals, "foo").change.before, 75, 1e-9);
  EXPECT_NEAR(row(diff->totals, "foo").change.after, 75, 1e-9);
  EXPECT_EQ(diff->ratio, 1);
  EXPECT_EQ(diff_text(*diff, {"a", "b", 100'000, 1}).find("savings"), std::string::npos);
}

TEST(DiffTest, few_samples_prove_nothing) {
  const auto diff = compare(service(10, 5), service(7, 8), {});
  ASSERT_TRUE(diff);
  for (const auto& each : diff->totals)
    EXPECT_FALSE(each.change.significant()) << each.name;
}

TEST(DiffTest, what_is_gone_and_what_is_new) {
  const auto diff = compare(service(100, 0), service(0, 100), {});
  ASSERT_TRUE(diff);
  const auto json = nlohmann::json::parse(diff_json(*diff, {"a", "b", 0, 0}));
  const std::map<std::string, std::string> verdicts = {
      {"foo", "gone"}, {"bar", "new"}, {"work", "not significant"}};
  for (const auto& each : json["total_by_function"])
    EXPECT_EQ(each["verdict"], verdicts.at(each["name"]));
  EXPECT_EQ(json["total_by_function"].size(), verdicts.size());
  EXPECT_EQ(row(diff->calls, "work -> foo").change.samples_before, 100u);
  EXPECT_EQ(row(diff->lines, "foo").place, "app.py:10");
  EXPECT_EQ(row(diff->packages, "app").change.samples_after, 100u);
}

TEST(DiffTest, says_what_a_profile_lacks) {
  auto timeless = service(1, 1);
  timeless.duration_ns = 0;
  EXPECT_NE(compare(service(1, 1), timeless, {}).error().message.find("after does not say"),
            std::string::npos);
  auto counts = service(1, 1);
  for (auto& sample : counts.samples)
    sample.weight_ns = 0;
  EXPECT_NE(compare(counts, service(1, 1), {}).error().message.find("before knows no times"),
            std::string::npos);
  DiffOptions shares;
  shares.unit = DiffUnit::kCpu;
  EXPECT_TRUE(compare(counts, service(1, 1), shares));
  EXPECT_EQ(compare(service(0, 0), service(1, 1), {}).error().code, ExitCode::kNoSamples);
}

}  // namespace
}  // namespace pyprof::report
