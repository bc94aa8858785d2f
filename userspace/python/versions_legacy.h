// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "userspace/python/versions.h"

namespace pyprof::python {

// 2.7 and 3.6 to 3.10: frames are objects on the heap, offsets are those of the public headers. A
// minor version with two layouts has two rows, told apart by `runtime_bytes`.
[[nodiscard]] std::span<const VersionRow> legacy_rows();

}  // namespace pyprof::python
