// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "userspace/aggregate/summary.h"
#include "userspace/model/profile.h"

// What a person who knows Python looks for first, by rules over stacks and labels.
namespace pyprof::report {

struct Finding {
  std::string rule;      // a stable key: "regex_compilation"
  std::string severity;  // high, medium, low
  double percent = 0;    // of the CPU time: what it can save at most
  std::string what;      // a sentence with what to do
  std::string where;     // the application's own frame that most of it was called from
  std::string function;  // of that frame, as tables name it ...
  std::string place;     // ... and its place there
};

// Most first. Give it a profile that did not go through aggregate::apply_view(): some rules look at
// the interpreter's own frames.
[[nodiscard]] std::vector<Finding> find_problems(const model::Profile& profile,
                                                 const aggregate::Summary& summary,
                                                 bool full_paths);

}  // namespace pyprof::report
