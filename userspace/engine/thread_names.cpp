// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/thread_names.h"

#include "userspace/engine/deadline.h"
#include "userspace/python/thread_names.h"

namespace pyprof::engine {

std::map<int32_t, std::string> thread_names(int32_t pid, const PythonRuntime& runtime,
                                            std::chrono::milliseconds limit) {
  const auto names = within(limit, [pid, runtime] {
    const python::ProcessMemory memory(pid);
    return python::read_thread_names(memory, runtime.config, runtime.offsets, runtime.address);
  });
  return names && names->ok() ? **names : std::map<int32_t, std::string>{};
}

}  // namespace pyprof::engine
