// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/counter_labels.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace pyprof::probe {
namespace {

TEST(CounterLabelsTest, are_indexed_by_the_wire_enums) {
  ASSERT_EQ(outcome_labels().size(), static_cast<std::size_t>(WIRE_OUT_COUNT));
  ASSERT_EQ(fault_labels().size(), static_cast<std::size_t>(WIRE_FAULT_COUNT));
  EXPECT_EQ(outcome_labels()[WIRE_OUT_TICK].label, "tick");
  EXPECT_EQ(outcome_labels()[WIRE_OUT_LOST_PROGRAM].label, "lost_program");
  EXPECT_EQ(fault_labels()[WIRE_FAULT_NONE].label, "none");
  EXPECT_EQ(fault_labels()[WIRE_FAULT_PROC_UNKNOWN].label, "process_unknown");
  EXPECT_EQ(fault_labels()[WIRE_FAULT_CPU_TABLE_FULL].label, "cpu_table_full");
}

TEST(CounterLabelsTest, are_unique_and_plain) {
  for (const auto labels : {outcome_labels(), fault_labels()}) {
    std::set<std::string_view> seen;
    for (const auto& [label, help] : labels) {
      EXPECT_TRUE(seen.insert(label).second) << label;
      EXPECT_EQ(label.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos);
      EXPECT_FALSE(help.empty()) << label;
    }
  }
}

TEST(CountersTest, sum_over_cpus_and_subtract) {
  std::vector<wire_counters> cpus(3);
  for (uint64_t i = 0; i < cpus.size(); ++i) {
    cpus[i].ticks = 10 + i;
    cpus[i].outcomes[WIRE_OUT_TICK] = 9;
    cpus[i].faults[WIRE_FAULT_PY_DEPTH] = i;
    cpus[i].switches = 1;
  }
  const Counters first = sum_counters(cpus);
  EXPECT_EQ(first.values.ticks, 33U);
  EXPECT_EQ(first.values.outcomes[WIRE_OUT_TICK], 27U);
  EXPECT_EQ(first.values.faults[WIRE_FAULT_PY_DEPTH], 3U);
  EXPECT_EQ(first.values.switches, 3U);
  cpus[1].ticks += 5;
  const Counters added = sum_counters(cpus) - first;
  EXPECT_EQ(added.values.ticks, 5U);
  EXPECT_EQ(added.values.switches, 0U);
  EXPECT_EQ(first - first, Counters{});
}

TEST(CountersTest, a_counter_that_went_back_reads_as_zero) {
  Counters before;
  before.values.ticks = 7;
  EXPECT_EQ((Counters{} - before).values.ticks, 0U);
}

}  // namespace
}  // namespace pyprof::probe
