// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/base/fd.h"
#include "userspace/elf/elf_file.h"

namespace pyprof::process {

// The separate debug file of `file`, which lies at `path` inside `root` (open_root()). Looked for
// as distributions lay them out, in this order: by build-id below /usr/lib/debug/.build-id, by
// debug link next to the file, in .debug next to it, and below /usr/lib/debug. Nothing outside the
// root is opened. A file counts if it has the build-id; where one of the two has none, if it has
// the debug link's CRC. Invalid if there is none. Reads the candidates: may block, see
// mapped_file.h.
Fd find_debug_file(const Fd& root, const std::string& path, const elf::ElfFile& file);

}  // namespace pyprof::process
