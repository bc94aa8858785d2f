// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/report/diff.h"

namespace pyprof::report {

struct DiffText {
  std::string before, after;      // what to call the profiles
  double annual_cost = 0;         // of what was profiled before, in any currency; 0 = not given
  double cost_per_core_hour = 0;  // 0 = not given
};

// For people and language models: the whole, what it saves, then a table for each kind of row. The
// same difference gives the same text.
[[nodiscard]] std::string diff_text(const Diff& diff, const DiffText& options);

// The same figures under stable keys.
[[nodiscard]] std::string diff_json(const Diff& diff, const DiffText& options);

}  // namespace pyprof::report
