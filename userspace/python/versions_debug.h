// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "userspace/python/versions.h"

namespace pyprof::python {

// 3.13 on: most offsets are read out of the file (_Py_DebugOffsets in pycore_debug_offsets.h, whose
// layout is fixed within a minor version). Each has a second row for the free-threaded build.
[[nodiscard]] std::span<const VersionRow> debug_rows();

}  // namespace pyprof::python
