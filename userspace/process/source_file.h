// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "userspace/process/proc_fs.h"

namespace pyprof::process {

// Lines of a Python source file as the process sees it, numbered from 1, without the blanks around
// them; a relative path is taken from its working directory. Only those of `lines` that are there
// and not empty. Nothing if the name does not end in .py (a process can give its code any file
// name), if it is no regular file or more than 8 MiB. pid 0 is the caller. May block where the file
// is on a network or FUSE file system.
[[nodiscard]] std::map<uint32_t, std::string> read_source(const ProcFs& proc, int32_t pid,
                                                          const std::string& path,
                                                          const std::set<uint32_t>& lines);

}  // namespace pyprof::process
