// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/thread_names.h"

#include "userspace/engine/deadline.h"
#include "userspace/process/proc_fs.h"
#include "userspace/python/thread_names.h"

namespace pyprof::engine {
namespace {

using Names = std::map<int32_t, std::string>;

// CPython knows its threads by their ids in its own PID namespace.
Names by_our_ids(int32_t pid, Names names) {
  const process::ProcFs proc;
  const auto ours = proc.namespace_inode(0, "pid"), theirs = proc.namespace_inode(pid, "pid");
  if (ours && theirs && *ours == *theirs) return names;
  Names translated;
  for (const int32_t tid : proc.threads(pid)) {
    const auto inner = proc.namespace_pid(tid);
    const auto name = inner ? names.find(*inner) : names.end();
    if (name != names.end()) translated[tid] = std::move(name->second);
  }
  return translated;
}

}  // namespace

std::map<int32_t, std::string> thread_names(int32_t pid, const PythonRuntime& runtime,
                                            std::chrono::milliseconds limit) {
  const auto names = within(limit, [pid, runtime] {
    const python::ProcessMemory memory(pid);
    return python::read_thread_names(memory, runtime.config, runtime.offsets, runtime.address);
  });
  return names && names->ok() ? by_our_ids(pid, **names) : Names{};
}

}  // namespace pyprof::engine
