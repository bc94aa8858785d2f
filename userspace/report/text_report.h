// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "userspace/aggregate/labels.h"
#include "userspace/model/profile.h"
#include "userspace/report/findings.h"

namespace pyprof::report {

struct TextReportOptions {
  std::size_t functions = 20;  // rows of the self and total tables
  std::size_t paths = 15;
  double tree_percent = 1;     // the call tree shows what has at least this share
  std::size_t tree_rows = 60;  // ... and no more than this
  std::size_t edges = 30;
  std::size_t lines = 15;
  std::size_t packages = 12;
  std::size_t threads = 50;    // rows of the thread (and process) table; the rest is one line
  std::size_t max_tokens = 0;  // of a language model, estimated: tables get shorter until it fits
  bool full_paths = false;
  aggregate::GroupBy by = aggregate::GroupBy::kNone;  // adds a table of these groups
  std::vector<Finding> findings;                      // of find_problems()
};

// The report of `snapshot`: plain UTF-8 for people and for language models. Every row has an id (R
// process, G group, T thread, S self, C total, P path, E call, L line, F finding) to cite. Seconds
// are those the scheduler measured where the profile has them, split by samples. The last line
// states samples, lost, truncated and unsymbolised. The same profile gives the same text. Give it a
// profile that went through aggregate::apply_view().
[[nodiscard]] std::string text_report(const model::Profile& profile,
                                      const TextReportOptions& options);

}  // namespace pyprof::report
