// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/engine/process_directory.h"
#include "userspace/python/stacks.h"

namespace pyprof::engine {

// A thread of a process at one moment.
struct ThreadNow {
  int32_t tid = 0;   // as we see it
  char state = '?';  // of /proc/TID/stat: R runs or would, S sleeps, D waits for a disk
  std::string comm;
  std::string python_name;                   // threading.Thread.name, "" = unknown
  std::optional<python::ThreadStack> stack;  // nothing: it has no Python frames
};

// All threads of a process, by tid. Reads its memory while it runs: gives up after `limit`.
[[nodiscard]] Result<std::vector<ThreadNow>> threads_now(
    int32_t pid, const PythonRuntime& runtime, std::chrono::milliseconds limit,
    const std::optional<python::ValueLimits>& locals = {});

}  // namespace pyprof::engine
