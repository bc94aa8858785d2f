// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "userspace/base/result.h"
#include "userspace/model/profile.h"

namespace pyprof::importer {

// Folded stacks, root first: `a;b;c 12`, of this program, py-spy, perf's stackcollapse and others.
// Such a file knows no time: samples have a count and no weight. The error is what is wrong with
// it, to follow the file's name.
[[nodiscard]] Result<model::Profile> from_folded(std::string_view text);

}  // namespace pyprof::importer
