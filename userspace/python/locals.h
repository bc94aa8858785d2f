// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/python/values.h"

namespace pyprof::python {

struct Local {
  std::string name;
  std::string value;  // ValueReader::text(), "<redacted>"
};

constexpr std::size_t kMaxLocals = 64;  // of a frame

// The fast locals of a frame that are set, cells and free variables included, in the order of the
// code. Frames of modules and classes keep theirs in a dict and have none. The arguments are as
// those of read_stacks(); `frame` and `code` are addresses in the process, which runs on.
[[nodiscard]] std::vector<Local> read_locals(const Memory& memory, const wire_python_config& config,
                                             const RuntimeOffsets& offsets,
                                             const ValueLimits& limits, uint64_t frame,
                                             uint64_t code);

}  // namespace pyprof::python
