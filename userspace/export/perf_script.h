// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "userspace/aggregate/frame_text.h"
#include "userspace/model/profile.h"

// The text that `perf script` prints, which stackcollapse-perf.pl, inferno, speedscope and Firefox
// Profiler import.
namespace pyprof::exporter {

struct PerfScriptOptions {
  aggregate::TextOptions text;
  std::size_t max_bytes = std::size_t{1} << 28;  // beyond: samples are left out, and a comment says
};

// A record for each sample. A profile does not know when its samples were taken: their times are
// spread evenly over its duration. Give it a profile that went through aggregate::apply_view().
[[nodiscard]] std::string to_perf_script(const model::Profile& profile,
                                         const PerfScriptOptions& options);

}  // namespace pyprof::exporter
