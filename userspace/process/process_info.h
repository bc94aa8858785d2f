// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/result.h"
#include "userspace/model/process.h"
#include "userspace/process/proc_fs.h"

namespace pyprof::process {

// What /proc says of a process for reports; everything but the Python fields, `process` as given.
// All of it is of one process even if its pid is reused meanwhile: that gives kNoProcess. What a
// zombie or kernel thread lacks stays empty.
Result<model::ProcessInfo> read_process_info(const ProcFs& proc, int32_t pid,
                                             model::ProcessId process);

}  // namespace pyprof::process
