// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/aggregate/frame_text.h"
#include "userspace/model/profile.h"

// JSON as speedscope.app reads it (its file-format-schema.json): a "sampled" profile for each
// thread, frames with file and line.
namespace pyprof::exporter {

// Weights are nanoseconds of CPU time; where the profile has none, samples. Give it a profile that
// went through aggregate::apply_view().
[[nodiscard]] std::string to_speedscope(const model::Profile& profile,
                                        const aggregate::TextOptions& text);

}  // namespace pyprof::exporter
