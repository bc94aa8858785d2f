// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/group_table.h"

#include <algorithm>
#include <tuple>

namespace pyprof::report {

uint32_t GroupRow::top_stack() const {
  const auto top = std::max_element(stacks.begin(), stacks.end(), [](const auto& a, const auto& b) {
    return a.second < b.second;
  });
  return top == stacks.end() ? 0 : top->first;
}

std::vector<GroupRow> group_rows(const model::Profile& profile, const aggregate::Summary& summary,
                                 aggregate::GroupBy by) {
  std::map<std::string, GroupRow> groups;
  for (const model::Sample& sample : profile.samples) {
    const std::string name = aggregate::group_value(profile, sample, by);
    const uint64_t value = aggregate::sample_value(sample, summary);
    GroupRow& row = groups[name];
    row.name = name;
    row.samples += sample.count;
    row.value += value;
    row.stacks[sample.stack] += value;
  }
  std::vector<GroupRow> rows;
  for (auto& [name, row] : groups)
    rows.push_back(std::move(row));
  std::stable_sort(rows.begin(), rows.end(),
                   [](const GroupRow& a, const GroupRow& b) { return a.value > b.value; });
  return rows;
}

}  // namespace pyprof::report
