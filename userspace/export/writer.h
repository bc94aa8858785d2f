// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "userspace/base/result.h"

namespace pyprof::exporter {

// Writes a whole output. "-" is standard output. A file appears under its name only when complete
// and on disk (temporary file beside it, fsync, rename), so an older one is never half overwritten;
// its mode is 0666 without the umask, or that of the file it replaces. Links are followed. A name
// that exists and is no regular file (a pipe, /dev/stdout) is written to as it is.
[[nodiscard]] Result<void> write_output(const std::string& path, std::string_view bytes);

}  // namespace pyprof::exporter
