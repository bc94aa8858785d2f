// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "bpf/wire.h"
#include "userspace/base/result.h"
#include "userspace/model/sample.h"
#include "userspace/python/memory.h"

namespace pyprof::python {

// Reads a code object that the kernel side could not capture in full: names up to 4 KiB, the line
// table up to 1 MiB (`complete` is false beyond). `process`, `pid` and `id` are the caller's to
// fill. The address may hold another object by now: take it only if first_line and what was
// captured agree. Fails if the memory can't be read or holds no code object.
[[nodiscard]] Result<model::CodeObject> read_code(const Memory& memory,
                                                  const wire_python_config& config,
                                                  uint64_t address);

}  // namespace pyprof::python
