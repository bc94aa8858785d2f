// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/process_info.h"

#include "userspace/process/cgroup.h"
#include "userspace/process/proc_maps.h"

namespace pyprof::process {

Result<model::ProcessInfo> read_process_info(const ProcFs& proc, int32_t pid,
                                             model::ProcessId process) {
  const auto before = proc.stat(pid);
  if (!before) return before.error();
  model::ProcessInfo info;
  info.process = process;
  info.pid = pid;
  info.comm = before->comm;
  info.namespace_pid = pid;
  if (const auto inner = proc.namespace_pid(pid)) info.namespace_pid = *inner;
  if (const auto exe = proc.exe(pid)) info.exe = without_deleted(*exe);
  if (auto command = proc.command(pid)) info.command = std::move(*command);
  if (const auto cgroup = proc.cgroup(pid)) info.container = identify(*cgroup);
  const auto after = proc.stat(pid);
  if (!after) return after.error();
  if (after->start_ticks != before->start_ticks) return process_error(pid, "reading stat", ESRCH);
  return info;
}

}  // namespace pyprof::process
