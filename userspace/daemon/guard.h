// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "userspace/base/result.h"

// What keeps the profiler from starting on this host, found before anything is loaded.
namespace pyprof::daemon {

// Why sampling is switched off: the path and the first line of the file. Empty = it is not. A file
// of another user than root or this one does not count.
[[nodiscard]] std::optional<std::string> kill_switch_reason(const std::string& path);

// kPermission and what is missing, unless this process may load and attach BPF programs.
[[nodiscard]] Result<void> check_capabilities();

// All of it: the kill switch, kernels that would hang (kNotSupported), capabilities.
[[nodiscard]] Result<void> check_host(const std::string& kill_switch_path);

}  // namespace pyprof::daemon
