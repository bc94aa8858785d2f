// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/process_table.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/golden/golden.h"
#include "tests/userspace/aggregate/profile_maker.h"

namespace pyprof::report {
namespace {

TEST(ProcessTableTest, MatchesTheGoldenFile) {
  test::expect_golden(
      "processes.ps.expect",
      process_table({{4242, 1, "3.12.1", std::string(64, 'a'), 12, 187.25, "ok", "python app.py"},
                     {7, 0, "", "", 1, 0, "Python 2.6 is not supported", "python2.6"},
                     {123456, 123456, "3.13.0t", "", 3, 4.04, "ok", "python \xe5\x87\xbd.py"}}));
}

TEST(ProcessTableTest, HostileTextStaysOnItsLine) {
  for (const char* name : test::kHostileNames) {
    const std::string table = process_table({{1, 1, name, name, 1, 1, name, name}});
    EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 2) << table;
    EXPECT_EQ(table.find('\x1b'), std::string::npos);
  }
}

TEST(ProcessTableTest, LongCommandsAreCut) {
  ProcessRow row;
  row.command = std::string(100'000, 'x');
  EXPECT_LT(process_table({row}).size(), 500U);
}

TEST(ProcessTableTest, SaysThatThereIsNone) {
  EXPECT_EQ(process_table({}), "no Python process found\n");
}

}  // namespace
}  // namespace pyprof::report
