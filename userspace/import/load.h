// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "userspace/base/result.h"
#include "userspace/model/profile.h"

// Profiles from files, whoever wrote them.
namespace pyprof::importer {

struct LoadLimits {
  std::size_t max_bytes = 512U << 20;  // of a file, and of what it decompresses to
};

// A pprof profile (compressed or not), folded stacks or the text of perf script, told apart by what
// is in it; each may be gzipped. "-" is standard input. An error is one line that names the file.
[[nodiscard]] Result<model::Profile> load_profile(const std::string& path,
                                                  const LoadLimits& limits = {});

}  // namespace pyprof::importer
