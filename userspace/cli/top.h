// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/result.h"
#include "userspace/cli/options.h"

namespace pyprof::cli {

// `top`: returns when the user has seen enough.
[[nodiscard]] Result<void> show_top(const TopOptions& options);

}  // namespace pyprof::cli
