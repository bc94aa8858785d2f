// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "userspace/base/fd.h"

namespace pyprof::debuginfod {

struct Options {
  std::string urls;    // separated by spaces, as in $DEBUGINFOD_URLS; empty = nobody is asked
  std::string folder;  // where downloaded files are kept; made with its parents
  uint64_t folder_bytes = uint64_t{1} << 30;
  std::string program;  // path of pyebpf-debuginfod
};

enum class Outcome : uint8_t { kFound, kMissing, kFailed, kNoLibrary, kCancelled };

struct Download {
  Outcome outcome = Outcome::kFailed;
  Fd file;  // valid if found. Not checked: whoever reads it compares build-ids
};

// Runs the program for one file and waits: at most five minutes, or until `cancel` is readable;
// then it is killed.
[[nodiscard]] Download download(const Options& options, const std::string& build_id,
                                const Fd& cancel);

}  // namespace pyprof::debuginfod
