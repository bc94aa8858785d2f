// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/result.h"
#include "userspace/cli/options.h"

namespace pyprof::cli {

// `snapshot` and `record`: checks everything that can be checked, samples, writes the outputs and
// ends with a line on stderr that says how much was sampled and lost. A running daemon does the
// sampling if there is one. Blocks SIGINT and SIGTERM, which end the sampling early, so call it
// before any thread is made.
[[nodiscard]] Result<void> take_snapshot(const SnapshotOptions& options);

}  // namespace pyprof::cli
