// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/base/fd.h"

namespace pyprof::debuginfod {

struct Fetched {
  int exit_code = 0;  // of protocol.h
  Fd file;            // valid with kExitFound
};

// Asks the servers in $DEBUGINFOD_URLS by way of libdebuginfod, which is loaded now and keeps what
// it downloads in the current directory.
[[nodiscard]] Fetched fetch(const std::string& build_id);

}  // namespace pyprof::debuginfod
