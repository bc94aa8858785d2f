// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/model/profile.h"

namespace pyprof::aggregate {

// Whose code a frame is: the distribution under site-packages or dist-packages ("numpy"), "stdlib",
// "frozen" (importlib and what else is in the interpreter), "app" for all other Python code, the
// file's name for native code, "kernel"; "" for a marker. By the path alone.
[[nodiscard]] std::string package_text(const model::Profile& profile, const model::Frame& frame);

}  // namespace pyprof::aggregate
