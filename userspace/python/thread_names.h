// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "bpf/wire.h"
#include "userspace/base/result.h"
#include "userspace/python/memory.h"
#include "userspace/python/versions.h"

namespace pyprof::python {

// Name that the program gave each thread (threading.Thread.name), by thread id in the process's own
// PID namespace. Threads that `threading` doesn't know are missing; so is everything until it is
// imported. At most 4,096 threads and 256 bytes a name. `runtime_address` is _PyRuntime in the
// process (before 3.7 interp_head); `config` and `offsets` are of its InterpreterFile. Takes some
// thousand reads, the process keeps running: a name may be missed at one call and found at the
// next. Fails if the runtime can't be read.
[[nodiscard]] Result<std::map<int32_t, std::string>> read_thread_names(
    const Memory& memory, const wire_python_config& config, const RuntimeOffsets& offsets,
    uint64_t runtime_address);

}  // namespace pyprof::python
