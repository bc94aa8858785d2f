// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/result.h"
#include "userspace/cli/options.h"

namespace pyprof::cli {

// Answers on standard output what comes in on standard input, until that ends. Fails at once if a
// file can't be read as a profile. Needs no privileges; reads no other files.
[[nodiscard]] Result<void> serve_mcp(const McpOptions& options);

}  // namespace pyprof::cli
