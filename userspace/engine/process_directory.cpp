// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/process_directory.h"

#include <algorithm>

#include "userspace/aggregate/totals.h"
#include "userspace/process/cgroup.h"
#include "userspace/process/process_info.h"

namespace pyprof::engine {

namespace {

process::CgroupHierarchy hierarchy(bool cgroup_v1) {
  return cgroup_v1 ? process::CgroupHierarchy::kCpuacct : process::CgroupHierarchy::kV2;
}

}  // namespace

ProcessDirectory::ProcessDirectory(bool cgroup_v1)
    : cgroups_(process::detect_cgroups(proc_), hierarchy(cgroup_v1)) {}

model::ContainerIdentity ProcessDirectory::container_of(uint64_t cgroup_id) {
  const auto path = cgroups_.find(cgroup_id);
  return path ? process::identify_path(*path) : model::ContainerIdentity{};
}

void ProcessDirectory::learn(const process::ProcessState& state) {
  Entry entry;
  bool inherited = false;
  {
    const std::lock_guard lock(mutex_);
    const auto parent = entries_.find(state.parent);
    if (state.parent != 0 && state.exec_id == 0 && parent != entries_.end()) {
      entry = parent->second;
      inherited = true;
    }
  }
  if (!inherited && !state.kernel_thread) {
    if (auto info = process::read_process_info(proc_, state.pid, state.process)) {
      entry.info = std::move(*info);
      // A memory file has a new name at every exec: the process is known by its comm.
      if (entry.info.exe.starts_with("/memfd:")) entry.info.exe.clear();
    }
  }
  entry.info.coverage = {};
  entry.info.process = state.process;
  entry.info.pid = state.pid;
  entry.info.namespace_pid = state.namespace_pid;
  if (entry.info.comm.empty()) entry.info.comm = state.comm;
  entry.kernel_thread = state.kernel_thread;
  entry.ended = false;
  const std::lock_guard lock(mutex_);
  if (entry.info.container.cgroup_path.empty() && state.cgroup_id != 0) {
    entry.info.container = container_of(state.cgroup_id);
  }
  if (entries_.size() >= kMaxProcesses) return;
  live_[state.pid] = state.process;
  entries_[state.process] = std::move(entry);
}

void ProcessDirectory::set_python(model::ProcessId process, uint16_t version,
                                  const std::string& full_version, model::PythonDetails details,
                                  std::optional<PythonRuntime> runtime) {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(process);
  if (it == entries_.end()) return;
  it->second.info.python_version = version;
  it->second.info.python_full_version = full_version;
  it->second.info.python = std::move(details);
  it->second.runtime = std::move(runtime);
}

void ProcessDirectory::ended(model::ProcessId process) {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(process);
  if (it == entries_.end() || it->second.ended) return;
  it->second.ended = true;
  const auto owner = live_.find(it->second.info.pid);
  if (owner != live_.end() && owner->second == process) live_.erase(owner);
  ended_.push_back(process);
  if (ended_.size() <= kKeptAfterExit) return;
  entries_.erase(ended_.front());
  ended_.pop_front();
}

model::ProcessInfo ProcessDirectory::describe(model::ProcessId process, int32_t pid) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(process);
  if (it != entries_.end()) return it->second.info;
  model::ProcessInfo info;
  info.process = process;
  info.pid = pid;
  return info;
}

std::optional<PythonRuntime> ProcessDirectory::python_runtime(model::ProcessId process) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(process);
  return it == entries_.end() ? std::nullopt : it->second.runtime;
}

std::optional<model::ProcessId> ProcessDirectory::live_process(int32_t pid) const {
  const std::lock_guard lock(mutex_);
  const auto it = live_.find(pid);
  return it == live_.end() ? std::nullopt : std::optional(it->second);
}

bool ProcessDirectory::knows(model::ProcessId process) const {
  const std::lock_guard lock(mutex_);
  return entries_.contains(process);
}

uint64_t ProcessDirectory::python_processes() const {
  const std::lock_guard lock(mutex_);
  return static_cast<uint64_t>(std::count_if(entries_.begin(), entries_.end(), [](const auto& e) {
    return !e.second.ended && e.second.runtime.has_value();
  }));
}

void ProcessDirectory::set_coverage(model::ProcessId process, const model::Coverage& coverage) {
  if (coverage.samples == 0) return;
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(process);
  if (it != entries_.end()) it->second.info.coverage = coverage;
}

aggregate::StatusCounts ProcessDirectory::count_statuses() const {
  aggregate::StatusCounts counts;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    if (!entry.ended && !entry.kernel_thread) counts.add(entry.info);
  }
  return counts;
}

std::vector<model::ProcessInfo> ProcessDirectory::list_known() const {
  std::vector<model::ProcessInfo> found;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    const bool known = aggregate::runs_python(entry.info) || entry.info.coverage.samples > 0;
    if (known && !entry.ended) found.push_back(entry.info);
  }
  return found;
}

account::ProcessOwner ProcessDirectory::resolve_process(const account::CpuDelta& first) {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(first.process);
  if (it == entries_.end()) return {};
  if (it->second.kernel_thread) {
    return {std::nullopt, account::Unattributed::kKernelThread};
  }
  const auto& info = it->second.info;
  account::ProcessOwner owner;
  owner.group = account::GroupKey{aggregate::process_group(info), info.container.id,
                                  info.python_version != 0 ? "python" : "native"};
  return owner;
}

std::optional<account::ContainerKey> ProcessDirectory::resolve_cgroup(uint64_t cgroup_id) {
  const std::lock_guard lock(mutex_);
  const auto path = cgroups_.find(cgroup_id);
  if (!path) return std::nullopt;
  const auto identity = process::identify_path(*path);
  return account::ContainerKey{identity.id, identity.runtime, identity.pod_uid, identity.unit};
}

}  // namespace pyprof::engine
