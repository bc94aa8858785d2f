// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/aggregate/frame_text.h"
#include "userspace/model/profile.h"

// JSON as profiler.firefox.com imports it: Firefox's own format, version 24.
namespace pyprof::exporter {

// A row for each sample of a thread. A profile does not know when its samples were taken: their
// times are one period apart. Give it a profile that went through aggregate::apply_view().
[[nodiscard]] std::string to_gecko(const model::Profile& profile,
                                   const aggregate::TextOptions& text);

}  // namespace pyprof::exporter
