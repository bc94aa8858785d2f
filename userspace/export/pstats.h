// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/model/profile.h"

// The file that cProfile writes and pstats.Stats, snakeviz and gprof2dot read: a dict in Python's
// marshal format.
namespace pyprof::exporter {

// tottime and cumtime are seconds of CPU time. Nobody counts calls: ncalls is the number of samples
// with the function in their stack, recursion counted once. Give it a profile that went through
// aggregate::apply_view().
[[nodiscard]] std::string to_pstats(const model::Profile& profile);

}  // namespace pyprof::exporter
