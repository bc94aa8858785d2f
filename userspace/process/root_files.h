// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "userspace/base/fd.h"
#include "userspace/process/proc_fs.h"

// Files as a process sees them. Their paths are the process's text: ".." and absolute symbolic
// links resolve inside its root and never leave it.
namespace pyprof::process {

enum class LastLink : uint8_t { kFollow, kRefuse };

// /proc/PID/root for open_in(); "self" for pid 0. Invalid if the process is gone.
Fd open_root(const ProcFs& proc, int32_t pid);
// For reading; only regular files are ever opened, others give an invalid Fd.
Fd open_in(const Fd& root, const std::string& path, LastLink last = LastLink::kFollow);

// What fstat says of a regular file; nothing for anything else.
std::optional<struct stat> regular_file(const Fd& fd);
// The file of an O_PATH descriptor: opening it that way first keeps us from opening devices and
// FIFOs, which can have side effects.
Fd open_for_reading(const Fd& path_only);

// /tmp/perf-PID.map as a JIT compiler leaves it for perf, by the pid that the process knows itself
// by. Only a regular file of root's or of the process's own user, never through a symbolic link:
// /tmp is everybody's.
Fd open_perf_map(const ProcFs& proc, int32_t pid, int32_t namespace_pid);

// The jitdump file that a JIT compiler writes: it maps a page of it executable as a mark for perf.
// By the name jit-PID.dump, in any directory; otherwise as open_perf_map(). Reads the process's
// mappings.
Fd open_jit_dump(const ProcFs& proc, int32_t pid, int32_t namespace_pid);

}  // namespace pyprof::process
