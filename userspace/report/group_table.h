// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "userspace/aggregate/labels.h"
#include "userspace/aggregate/summary.h"
#include "userspace/model/profile.h"

namespace pyprof::report {

// The samples of one asyncio task, GIL state, ...
struct GroupRow {
  std::string name;
  uint64_t samples = 0;
  uint64_t value = 0;                   // aggregate::sample_value()
  std::map<uint32_t, uint64_t> stacks;  // of the profile -> value
  [[nodiscard]] uint32_t top_stack() const;
};

// Largest first. Groups of several processes with the same name are one.
[[nodiscard]] std::vector<GroupRow> group_rows(const model::Profile& profile,
                                               const aggregate::Summary& summary,
                                               aggregate::GroupBy by);

}  // namespace pyprof::report
