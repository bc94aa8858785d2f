// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/model/profile.h"

// Callgrind's profile format, as KCachegrind, QCacheGrind and callgrind_annotate read it.
namespace pyprof::exporter {

// Two events: samples, and nanoseconds of CPU time. Nobody counts calls: a call's count is the
// number of samples below it. Give it a profile that went through aggregate::apply_view().
[[nodiscard]] std::string to_callgrind(const model::Profile& profile);

}  // namespace pyprof::exporter
