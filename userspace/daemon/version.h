// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace pyprof::daemon {

// "0.1.0": the project's version as CMake knows it.
[[nodiscard]] const char* tool_version();

}  // namespace pyprof::daemon
