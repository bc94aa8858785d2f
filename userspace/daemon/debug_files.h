// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/result.h"
#include "userspace/config/config.h"
#include "userspace/debuginfod/download.h"

namespace pyprof::daemon {

// What the configuration says of servers of debug files; files are kept in state_dir. Fails if
// there are servers to ask but not the program that asks.
[[nodiscard]] Result<debuginfod::Options> debuginfod_options(const config::Config& config);

}  // namespace pyprof::daemon
