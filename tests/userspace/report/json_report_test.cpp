// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/json_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/userspace/aggregate/profile_maker.h"

namespace pyprof::report {
namespace {

TEST(JsonReportTest, has_the_rows_of_the_text) {
  const auto json = nlohmann::json::parse(json_report(test::service_profile(), {}));
  EXPECT_EQ(json["profile"]["samples"], 100);
  EXPECT_EQ(json["quality"]["lost"], 1);
  EXPECT_EQ(json["threads"][0]["name"], "worker-0");
  EXPECT_EQ(json["self"][0]["id"], "S1");
  for (const auto& name : table_names())
    EXPECT_TRUE(name == "groups" || json[name].is_array()) << name;
  double self = 0;
  for (const auto& row : json["self"])
    self += row["self_percent"].get<double>();
  EXPECT_NEAR(self, 100, 1e-6);
}

TEST(JsonReportTest, hostile_names_stay_strings) {
  const auto json = nlohmann::json::parse(json_report(test::hostile_profile(), {}));
  EXPECT_TRUE(json["self"].is_array());
}

TEST(CsvReportTest, quotes_what_needs_it) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(1, "app"), 1, "app");
  maker.sample(thread, {maker.python("a,\"b\"", "x.py", 1), maker.python("=cmd()", "x.py", 2)}, 1);
  const auto total = csv_report(maker.profile(), {}, "total");
  ASSERT_TRUE(total);
  EXPECT_TRUE(total->starts_with("id,function,place,hot_place,kind,self_percent,")) << *total;
  EXPECT_NE(total->find("\r\nC2,\"a,\"\"b\"\"\",x.py:1,"), std::string::npos) << *total;
  EXPECT_NE(total->find(",'=cmd(),"), std::string::npos) << *total;
  const auto paths = csv_report(maker.profile(), {}, "paths");
  ASSERT_TRUE(paths);
  EXPECT_NE(paths->find(" > "), std::string::npos);
}

TEST(CsvReportTest, knows_its_tables) {
  EXPECT_FALSE(csv_report(test::service_profile(), {}, "nothing"));
  for (const auto& name : table_names()) {
    const auto table = csv_report(test::service_profile(), {}, name);
    ASSERT_TRUE(table);
    EXPECT_EQ(table->empty(), name == "groups" || name == "findings");
  }
}

}  // namespace
}  // namespace pyprof::report
