// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/result.h"
#include "userspace/cli/options.h"

namespace pyprof::cli {

// Prints where each thread of a process is, blocked ones too, without stopping it.
[[nodiscard]] Result<void> dump_threads(const DumpOptions& options);

}  // namespace pyprof::cli
