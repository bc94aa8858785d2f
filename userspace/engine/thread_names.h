// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "userspace/engine/process_directory.h"

namespace pyprof::engine {

// threading.Thread.name by thread id, as we see it, whatever PID namespace the process is in; empty
// if the process is gone or doesn't answer in time.
std::map<int32_t, std::string> thread_names(int32_t pid, const PythonRuntime& runtime,
                                            std::chrono::milliseconds limit);

}  // namespace pyprof::engine
