// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/aggregate/summary.h"
#include "userspace/model/profile.h"

namespace pyprof::report {

// A distinct stack, by what its frames read as, over all threads of a process.
struct HotPath {
  uint64_t value = 0;               // aggregate::sample_value() of its samples
  std::vector<uint32_t> threads;    // indexes into Profile::threads, most value first
  std::vector<std::string> frames;  // root first; equal neighbours are one: "fib (x.py:3) x37"
};

// The heaviest `limit` stacks, most first, ties by text.
[[nodiscard]] std::vector<HotPath> hot_paths(const model::Profile& profile,
                                             const aggregate::Summary& summary, std::size_t limit,
                                             bool full_paths);

// One line "frame > frame > ..." per path. A start of 3 and more frames in common with a path that
// is spelled out above it is "[as P1 to FRAME] > ..."; of more than 64 frames the middle is
// counted, not shown.
[[nodiscard]] std::vector<std::string> hot_path_texts(const std::vector<HotPath>& paths);

}  // namespace pyprof::report
