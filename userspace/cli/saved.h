// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/result.h"
#include "userspace/cli/options.h"

// What is done with saved profiles. Needs no privileges.
namespace pyprof::cli {

[[nodiscard]] Result<void> convert_profile(const ConvertOptions& options);
[[nodiscard]] Result<void> diff_profiles(const DiffFileOptions& options);
[[nodiscard]] Result<void> query_profile(const QueryOptions& options);

}  // namespace pyprof::cli
