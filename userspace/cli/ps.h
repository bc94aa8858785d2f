// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/result.h"
#include "userspace/cli/options.h"

namespace pyprof::cli {

// `ps`: the Python processes of the host on stdout, with what a running daemon says of their
// stacks. Takes about half a second, because CPU use is what was used meanwhile.
[[nodiscard]] Result<void> list_processes(const PsOptions& options);

}  // namespace pyprof::cli
