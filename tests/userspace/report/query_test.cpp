// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/query.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/userspace/aggregate/profile_maker.h"

namespace pyprof::report {
namespace {

using Json = nlohmann::json;

// main() calls foo() from line 12, which runs lines 21 and 22, and bar() from line 13.
class QueryTest : public ::testing::Test {
 protected:
  QueryTest() {
    test::ProfileMaker maker;
    const uint32_t thread = maker.thread(maker.process(1, "app"), 7, "worker");
    const uint32_t to_foo = maker.python("main", "/srv/app.py", 12, 10);
    const uint32_t to_bar = maker.python("main", "/srv/app.py", 13, 10);
    maker.sample(thread, {to_foo, maker.python("Work.foo", "/srv/app.py", 21, 20)}, 50);
    maker.sample(thread, {to_foo, maker.python("Work.foo", "/srv/app.py", 22, 20)}, 25);
    maker.sample(thread, {to_bar, maker.python("Work.bar", "/srv/app.py", 31, 30)}, 25);
    profile_ = maker.profile();
  }

  [[nodiscard]] Json ask(const std::string& question, const std::string& name = "") const {
    const auto text = answer(profile_, {question, name, 20, false});
    if (!text) return {{"error", text.error().message}};
    EXPECT_EQ(text->find('\n'), text->size() - 1);
    return Json::parse(*text);
  }

  model::Profile profile_;
};

TEST_F(QueryTest, hottest_functions_come_first) {
  const Json rows = ask("hottest")["rows"];
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["function"], "Work.foo");
  EXPECT_NEAR(rows[0]["self_percent"].get<double>(), 75, 1e-9);
  EXPECT_EQ(rows[0]["hot_place"], "app.py:21");
}

TEST_F(QueryTest, callers_and_callees_have_the_line_of_the_call) {
  const Json callers = ask("callers-of", "Work.bar")["rows"];
  ASSERT_EQ(callers.size(), 1U);
  EXPECT_EQ(callers[0]["caller"], "main");
  EXPECT_EQ(callers[0]["caller_place"], "app.py:13");
  EXPECT_NEAR(callers[0]["percent"].get<double>(), 25, 1e-9);
  const Json callees = ask("callees-of", "main")["rows"];
  ASSERT_EQ(callees.size(), 2U);
  EXPECT_EQ(callees[0]["callee"], "Work.foo");
  EXPECT_EQ(callees[1]["callee"], "Work.bar");
}

TEST_F(QueryTest, paths_are_root_first) {
  const Json rows = ask("paths-through", "Work.foo")["rows"];
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["frames"], (Json{"main (app.py:12)", "Work.foo (app.py:21)"}));
  EXPECT_NEAR(rows[0]["percent"].get<double>(), 50, 1e-9);
}

TEST_F(QueryTest, lines_and_threads) {
  const Json lines = ask("lines-of", "Work.foo")["rows"];
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["line"], 21);
  EXPECT_EQ(lines[1]["line"], 22);
  EXPECT_EQ(ask("threads")["rows"][0]["tid"], 7);
}

TEST_F(QueryTest, part_of_a_name_will_do) {
  const Json both = ask("lines-of", "app.py:Work.");
  EXPECT_EQ(both["functions"].size(), 2U);
  EXPECT_EQ(ask("lines-of", "foo")["functions"][0]["function"], "Work.foo");
}

TEST_F(QueryTest, what_is_wrong_is_said) {
  EXPECT_NE(ask("best")["error"].get<std::string>().find("callers-of"), std::string::npos);
  EXPECT_NE(ask("callers-of", "nobody")["error"].get<std::string>().find("'nobody'"),
            std::string::npos);
  EXPECT_TRUE(ask("callers-of").contains("functions")) << "every name holds the empty one";
}

TEST_F(QueryTest, limit_holds) {
  const auto text = answer(profile_, {"hottest", "", 1, false});
  ASSERT_TRUE(text);
  EXPECT_EQ(Json::parse(*text)["rows"].size(), 1U);
}

}  // namespace
}  // namespace pyprof::report
