// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/thread_stacks.h"

#include <map>
#include <utility>

#include "userspace/engine/deadline.h"
#include "userspace/process/proc_fs.h"
#include "userspace/python/thread_names.h"

namespace pyprof::engine {
namespace {

struct Read {
  Result<std::vector<python::ThreadStack>> stacks;
  std::map<int32_t, std::string> names;
};

Read read_all(int32_t pid, const PythonRuntime& runtime,
              const std::optional<python::ValueLimits>& locals) {
  const python::ProcessMemory memory(pid);
  Read read{python::read_stacks(memory, runtime.config, runtime.offsets, runtime.address, locals),
            {}};
  auto names = python::read_thread_names(memory, runtime.config, runtime.offsets, runtime.address);
  if (names) read.names = *std::move(names);
  return read;
}

}  // namespace

Result<std::vector<ThreadNow>> threads_now(int32_t pid, const PythonRuntime& runtime,
                                           std::chrono::milliseconds limit,
                                           const std::optional<python::ValueLimits>& locals) {
  auto read = within(limit, [pid, runtime, locals] { return read_all(pid, runtime, locals); });
  if (!read) return Error{"process " + std::to_string(pid) + ": reading its memory takes too long"};
  if (!read->stacks) return read->stacks.error();
  std::map<int32_t, python::ThreadStack> by_tid;
  for (auto& stack : *read->stacks)
    by_tid.try_emplace(stack.tid, std::move(stack));
  const process::ProcFs proc;
  std::vector<ThreadNow> threads;
  for (const int32_t tid : proc.threads(pid)) {
    const auto stat = proc.stat(tid);
    if (!stat) continue;
    ThreadNow thread{tid, stat->state, stat->comm, "", std::nullopt};
    const auto known_as = proc.namespace_pid(tid);
    const int32_t inner = known_as ? *known_as : tid;
    if (const auto name = read->names.find(inner); name != read->names.end())
      thread.python_name = name->second;
    if (const auto stack = by_tid.find(inner); stack != by_tid.end())
      thread.stack = std::move(stack->second);
    threads.push_back(std::move(thread));
  }
  return threads;
}

}  // namespace pyprof::engine
