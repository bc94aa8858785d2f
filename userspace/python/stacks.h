// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/python/locals.h"
#include "userspace/python/memory.h"
#include "userspace/python/versions.h"

// Where all threads of a process are, those that wait included, read from outside while they run.
namespace pyprof::python {

struct StackFrame {
  std::string qualname;  // up to 3.10 the name alone; "" = not readable
  std::string filename;
  uint32_t line = 0;
  uint32_t first_line = 0;
  std::vector<Local> locals;  // where they were asked for
};

struct ThreadStack {
  int32_t tid = 0;                 // in the process's own PID namespace; 0 = not known
  int64_t interpreter = 0;         // its id; -1 = not known
  std::vector<StackFrame> frames;  // innermost first
  bool whole = true;   // false: more frames than kMaxFrames, or the chain was not readable
  bool stable = true;  // false: it ran on while it was read, the innermost frames may not belong
                       // together
};

constexpr std::size_t kMaxStackFrames = 4'096;
constexpr std::size_t kMaxFramesWithLocals = 100;  // of a thread, the innermost ones

// At most 4,096 threads. The arguments are as those of read_thread_names(). Fails if the runtime
// can't be read. Locals are read with `locals` alone; of a thread that runs they may be newer than
// its frames.
[[nodiscard]] Result<std::vector<ThreadStack>> read_stacks(
    const Memory& memory, const wire_python_config& config, const RuntimeOffsets& offsets,
    uint64_t runtime_address, const std::optional<ValueLimits>& locals = {});

}  // namespace pyprof::python
