// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/aggregate/summary.h"
#include "userspace/model/profile.h"

namespace pyprof::report {

// CPU of a thread.
struct ThreadRow {
  uint32_t thread = 0;  // index into Profile::threads
  uint64_t samples = 0;
  uint64_t value = 0;   // aggregate::sample_value() of them
  uint64_t cpu_ns = 0;  // by the scheduler; where it did not measure, the share of the samples
  std::string top;      // the Python function that ran most of it, else the innermost frame
};

// Most CPU time first.
[[nodiscard]] std::vector<ThreadRow> thread_rows(const model::Profile& profile,
                                                 const aggregate::Summary& summary,
                                                 bool full_paths);

// The Python function that ran, or that called what ran; else the innermost frame; "" of none.
[[nodiscard]] std::string leaf_text(const model::Profile& profile, uint32_t stack, bool full_paths);

}  // namespace pyprof::report
