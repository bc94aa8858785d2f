// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/text_report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/golden/golden.h"
#include "tests/userspace/aggregate/profile_maker.h"
#include "userspace/aggregate/view.h"
#include "userspace/report/tokens.h"

namespace pyprof::report {
namespace {

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in:\n" << text;
}

TEST(TextReportTest, MatchesTheGoldenFile) {
  test::expect_golden("service.txt.expect",
                      text_report(aggregate::apply_view(test::service_profile(), {}), {}));
}

TEST(TextReportTest, SeveralProcessesGetATable) {
  test::expect_golden("hostile.txt.expect", text_report(test::hostile_profile(), {}));
}

TEST(TextReportTest, CountsRecursionOnce) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(1, "app"), 1, "app");
  const uint32_t fib = maker.python("fib", "fib.py", 3);
  maker.sample(thread, {fib, fib, fib, fib, fib}, 10);
  const std::string report = text_report(maker.profile(), {});
  expect_contains(report, "C1  100.0    0.10   100.0     0.10  0.0  python  fib.py:1   fib\n");
  expect_contains(report, "P1   100.0 % [T1] fib (fib.py:3) x5\n");
}

TEST(TextReportTest, SelfTableNamesTheHottestLine) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(1, "app"), 1, "app");
  maker.sample(thread, {maker.python("f", "f.py", 20, 10)}, 1);
  maker.sample(thread, {maker.python("f", "f.py", 30, 10)}, 3);
  const std::string report = text_report(maker.profile(), {});
  expect_contains(report, "python  f.py:30    f\n");
  expect_contains(report, "python  f.py:10    f\n");
}

TEST(TextReportTest, KeepsFunctionsOfOneNameInTwoFilesApart) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(1, "app"), 1, "app");
  maker.sample(thread, {maker.python("main", "/a/__init__.py", 2)}, 60);
  maker.sample(thread, {maker.python("main", "/b/__init__.py", 2)}, 40);
  const std::string report = text_report(maker.profile(), {});
  expect_contains(report, "S1   60.0");
  expect_contains(report, "S2   40.0");
}

TEST(TextReportTest, RepeatsNoLongStartAndShowsNoEndlessPath) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(1, "app"), 1, "app");
  const uint32_t a = maker.python("a", "a.py", 1);
  const uint32_t b = maker.python("b", "a.py", 2);
  const uint32_t c = maker.python("c", "a.py", 3);
  maker.sample(thread, {a, b, c}, 3);
  maker.sample(thread, {a, b, c, a}, 2);
  maker.sample(thread, {a}, 1);
  auto& deep = maker.profile().stacks[2].frames;
  for (int i = 0; i < 500; ++i)
    deep.insert(deep.end(), {a, b});
  const std::string report = text_report(maker.profile(), {});
  expect_contains(report, "[as P1 to c (a.py:3)] > a (a.py:1)\n");
  expect_contains(report, " > [936 frames] > ");
}

TEST(TextReportTest, LimitsItsTables) {
  test::ProfileMaker maker;
  const uint32_t process = maker.process(1, "app");
  for (int i = 0; i < 200; ++i) {
    const std::string name = "f" + std::to_string(i);
    maker.sample(maker.thread(process, i + 1, name), {maker.python(name, name + ".py", 1)}, 1);
  }
  const std::string report = text_report(maker.profile(), {});
  EXPECT_LT(std::count(report.begin(), report.end(), '\n'), 160);
  expect_contains(report, "... and 150 more threads\n");
}

TEST(TextReportTest, HotLinesHaveTheirSourceText) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(1, "app"), 1, "app");
  maker.sample(thread, {maker.python("main", "/srv/a.py", 1), maker.python("f", "/srv/a.py", 10)},
               3);
  maker.sample(thread, {maker.python("main", "/srv/a.py", 1), maker.python("f", "/srv/a.py", 11)},
               1);
  model::Profile profile = maker.profile();
  profile.source[{"/srv/a.py", 10}] = "x = \"\x1b[2J\" + y";
  const std::string report = text_report(profile, {});
  expect_contains(report, "L1   75.0  a.py:10    f         | x = \"\ufffd[2J\" + y\n");
  expect_contains(report, "L2   25.0  a.py:11    f");
}

TEST(TextReportTest, AnEmptyProfileIsReportedAsSuch) {
  const std::string report = text_report(model::Profile{}, {});
  expect_contains(report, "# CPU profile: no process\n");
  expect_contains(report, "\nsamples 0, lost 0, truncated 0, unsymbolised 0\n");
}

TEST(TextReportTest, TablesGetShorterUntilTheTokensFit) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(1, "app"), 1, "app");
  for (int i = 0; i < 100; ++i) {
    const std::string name = "function_of_some_length_" + std::to_string(i);
    maker.sample(thread, {maker.python("main", "a.py", 1), maker.python(name, "a.py", 10)}, 1);
  }
  TextReportOptions options;
  const std::size_t whole = estimate_tokens(text_report(maker.profile(), options));
  options.max_tokens = whole / 2;
  const std::string report = text_report(maker.profile(), options);
  EXPECT_LE(estimate_tokens(report), options.max_tokens);
  EXPECT_GE(estimate_tokens(report), options.max_tokens / 2);
  expect_contains(report, "function_of_some_length_");
  options.max_tokens = 500;
  const std::string shortest = text_report(maker.profile(), options);
  EXPECT_LE(estimate_tokens(shortest), options.max_tokens);
  expect_contains(shortest, "S1 ");
  expect_contains(shortest, "## 5 Call tree: left out\n");
  expect_contains(shortest, "## 9 Findings");
}

}  // namespace
}  // namespace pyprof::report
