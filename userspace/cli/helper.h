// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/result.h"

namespace pyprof::cli {

// Runs a program with those words, no shell, an empty standard input and environment, and returns
// its standard output. It is killed when the time is over or it writes more than `max_bytes`. The
// error is the first line that it wrote to standard error, with its exit code.
[[nodiscard]] Result<std::string> run_helper(const std::string& path,
                                             const std::vector<std::string>& arguments,
                                             std::size_t max_bytes, uint64_t timeout_ms);

}  // namespace pyprof::cli
