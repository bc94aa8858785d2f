// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "userspace/base/result.h"
#include "userspace/model/profile.h"

namespace pyprof::importer {

// The text of `perf script` with call graphs, and what this program writes as `perf`. Time is the
// period of samples of cpu-clock and task-clock; samples of other events have a count alone. The
// error is what is wrong with it, to follow the file's name.
[[nodiscard]] Result<model::Profile> from_perf_script(std::string_view text);

// Whether a text looks like one: its first record's frames are indented.
[[nodiscard]] bool looks_like_perf_script(std::string_view text);

}  // namespace pyprof::importer
