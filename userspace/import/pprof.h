// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "userspace/base/result.h"
#include "userspace/model/profile.h"

namespace pyprof::importer {

// A CPU profile in pprof's format (perftools.profiles of profile.proto), not compressed; of this
// program or of another. Time is the value in nanoseconds (preferably of type "cpu"), the count the
// one of unit "count"; what of both is missing follows from the period. The error is what is wrong
// with it, to follow the file's name.
[[nodiscard]] Result<model::Profile> from_pprof(std::string_view bytes);

}  // namespace pyprof::importer
