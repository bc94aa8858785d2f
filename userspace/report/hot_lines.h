// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/aggregate/summary.h"
#include "userspace/model/profile.h"

namespace pyprof::report {

// A line of source code that ran at the end of stacks.
struct HotLine {
  double self = 0;        // percent of the profile
  std::string file;       // as the frames name it, in full
  uint32_t line = 0;      // never 0
  std::string place;      // "file.py:12"
  std::string functions;  // whose line it is; several if code is inlined or nested there
  std::string text;       // from Profile::source; "" = not known
};

// The heaviest first, Python's and native ones whose line is known. Give it a profile that went
// through aggregate::apply_view().
[[nodiscard]] std::vector<HotLine> hot_lines(const model::Profile& profile,
                                             const aggregate::Summary& summary, std::size_t limit,
                                             bool full_paths);

}  // namespace pyprof::report
