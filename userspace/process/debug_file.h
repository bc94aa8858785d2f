// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "userspace/base/fd.h"

namespace pyprof::process {

// Files that may be the separate debug file of the one at `path` inside `root` (open_root()), as
// distributions lay them out, in this order: by build-id below /usr/lib/debug/.build-id, by the
// name in its debug link next to the file, in .debug next to it, and below /usr/lib/debug. Nothing
// outside the root is opened, nothing is read. "" = the file has no build-id, or no link. Opening
// may block, see mapped_file.h.
std::vector<Fd> debug_file_candidates(const Fd& root, const std::string& path,
                                      const std::string& build_id, const std::string& debug_link);

}  // namespace pyprof::process
