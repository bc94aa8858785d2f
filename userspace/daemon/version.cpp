// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/version.h"

namespace pyprof::daemon {

const char* tool_version() {
  return PYPROF_VERSION;
}

}  // namespace pyprof::daemon
