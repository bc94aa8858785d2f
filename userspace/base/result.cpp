// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/result.h"

#include <cerrno>
#include <system_error>

namespace pyprof {

Error errno_error(const std::string& doing, int errno_value) {
  ExitCode code = ExitCode::kUsage;
  if (errno_value == EPERM || errno_value == EACCES) code = ExitCode::kPermission;
  if (errno_value == ESRCH) code = ExitCode::kNoProcess;
  return Error{doing + ": " + std::generic_category().message(errno_value), code, errno_value};
}

}  // namespace pyprof
