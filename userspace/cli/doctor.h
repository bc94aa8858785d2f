// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/result.h"
#include "userspace/cli/options.h"

namespace pyprof::cli {

// `doctor`: a line "ok|warn|fail NAME: DETAIL (ADVICE)" per check on stdout. kOk unless something
// essential fails: kPermission if rights would repair it, else kNotSupported. With a pid kNoProcess
// and what is wrong with its Python, too. An Error is one of the command line.
[[nodiscard]] Result<ExitCode> examine(const DoctorOptions& options);

}  // namespace pyprof::cli
