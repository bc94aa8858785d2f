// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/totals.h"

#include <gtest/gtest.h>

#include "tests/userspace/aggregate/profile_maker.h"

namespace pyprof::aggregate {
namespace {

std::string group_of(std::vector<std::string> command, uint16_t version = 0x30c) {
  model::ProcessInfo process;
  process.exe = "/usr/bin/python3.12";
  process.comm = "comm";
  process.python_version = version;
  process.command = std::move(command);
  return process_group(process);
}

TEST(ProcessGroupTest, IsTheScriptOrModule) {
  EXPECT_EQ(group_of({"python3", "/srv/app.py", "--token", "secret"}), "app.py");
  EXPECT_EQ(group_of({"python3", "-m", "http.server", "80"}), "http.server");
  EXPECT_EQ(group_of({"python3", "-mhttp.server"}), "http.server");
  EXPECT_EQ(group_of({"python3", "-u", "-X", "dev", "-Wignore", "-OO", "a.py"}), "a.py");
  EXPECT_EQ(group_of({"python3", "-Im", "mod"}), "mod");
  EXPECT_EQ(group_of({"python3", "--check-hash-based-pycs", "always", "a.py"}), "a.py");
}

TEST(ProcessGroupTest, IsTheExecutableWithoutAScript) {
  EXPECT_EQ(group_of({"python3", "-c", "print('secret')"}), "python3.12");
  EXPECT_EQ(group_of({"python3"}), "python3.12");
  EXPECT_EQ(group_of({"python3", "-"}), "python3.12");
  EXPECT_EQ(group_of({"python3", "-m"}), "python3.12");
  EXPECT_EQ(group_of({"nginx", "conf"}, 0), "python3.12");
  EXPECT_EQ(process_group(model::ProcessInfo{}), "");
}

TEST(ProcessGroupTest, IsShortCleanText) {
  EXPECT_LE(group_of({"python3", std::string(5000, 'x')}).size(), 128U);
  EXPECT_EQ(group_of({"python3", "a\nb.py"}), "a b.py");
}

model::Profile window(int processes) {
  test::ProfileMaker maker;
  for (int i = 0; i < processes; ++i) {
    const uint32_t process = maker.process(i + 1, "app", "/bin/app" + std::to_string(i));
    maker.profile().processes.back().container.id = i % 2 == 0 ? "" : "c1";
    maker.sample(maker.thread(process, i + 1, "t", 5), {maker.python("f", "f.py", 1)}, 2);
  }
  return maker.profile();
}

TEST(TotalsTest, GrowsWithEveryWindow) {
  Totals totals;
  totals.add(window(4));
  totals.add(window(4));
  ASSERT_EQ(totals.groups().size(), 4U);
  const Totals::Counts& counts = totals.groups().at({"app1", "c1", true});
  EXPECT_EQ(counts.samples, 4U);
  EXPECT_EQ(counts.weight_ns, 40'000'000U);
  EXPECT_EQ(counts.measured_ns, 10U);
  EXPECT_EQ(totals.containers().at("").samples, 8U);
  EXPECT_EQ(totals.containers().at("c1").samples, 8U);
}

TEST(TotalsTest, OverTheCapKeepsTheSumInOther) {
  Totals totals(3, 10);
  totals.add(window(8));
  uint64_t samples = 0;
  for (const auto& [key, counts] : totals.groups())
    samples += counts.samples;
  EXPECT_EQ(samples, 16U);
  EXPECT_EQ(totals.groups().size(), 4U);
  EXPECT_EQ(totals.groups().at({"__other__", "", false}).samples, 10U);
}

}  // namespace
}  // namespace pyprof::aggregate
