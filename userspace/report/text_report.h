// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "userspace/aggregate/labels.h"
#include "userspace/model/profile.h"

namespace pyprof::report {

struct TextReportOptions {
  std::size_t functions = 20;  // rows of the self and total tables
  std::size_t paths = 15;
  std::size_t threads = 50;  // rows of the thread (and process) table; the rest is one line
  bool full_paths = false;
  aggregate::GroupBy by = aggregate::GroupBy::kNone;  // adds a table of these groups
};

// The report of `snapshot`: plain UTF-8 for people and for language models. Every row has an id (R
// process, G group, T thread, S self, C total, P path) to cite. Seconds are those the scheduler
// measured where the profile has them, split by samples. The last line states samples, lost,
// truncated and unsymbolised. The same profile gives the same text. Give it a profile that went
// through aggregate::apply_view().
[[nodiscard]] std::string text_report(const model::Profile& profile,
                                      const TextReportOptions& options);

}  // namespace pyprof::report
