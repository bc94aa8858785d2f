// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "userspace/base/result.h"

namespace pyprof::debuginfod {

// Makes the folder and goes into it; root gives it to `owner`, who may then write there even if
// nobody else may come that far.
[[nodiscard]] Result<void> enter_folder(const std::string& folder, uint32_t owner);

// Deletes the files of the current directory that were written longest ago until `max_bytes` are
// left; what libdebuginfod keeps there is sized by age alone.
void trim_folder(uint64_t max_bytes);

}  // namespace pyprof::debuginfod
