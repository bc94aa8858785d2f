// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "userspace/account/resolver.h"
#include "userspace/aggregate/process_status.h"
#include "userspace/model/process.h"
#include "userspace/process/cgroup_paths.h"
#include "userspace/process/process_state.h"
#include "userspace/python/versions.h"

namespace pyprof::engine {

// A Python runtime in an address space, for reading thread names.
struct PythonRuntime {
  uint64_t address = 0;  // of _PyRuntime in the process
  wire_python_config config{};
  python::RuntimeOffsets offsets;
};

// Who the processes are, for reports and accounting; exited ones are remembered for a while. Safe
// for several threads.
class ProcessDirectory : public account::Resolver {
 public:
  static constexpr std::size_t kMaxProcesses = 65'536;
  static constexpr std::size_t kKeptAfterExit = 4'096;

  explicit ProcessDirectory(bool cgroup_v1);

  // Reads /proc, or takes over what is known of the parent for a fork's child. Publishing thread.
  void learn(const process::ProcessState& state);
  void set_python(model::ProcessId process, uint16_t version, const std::string& full_version,
                  model::PythonDetails details, std::optional<PythonRuntime> runtime);
  // What a window said of the process; one without samples says nothing.
  void set_coverage(model::ProcessId process, const model::Coverage& coverage);
  void ended(model::ProcessId process);

  // What is known; pid and comm at least are the caller's to fill in.
  [[nodiscard]] model::ProcessInfo describe(model::ProcessId process, int32_t pid) const;
  [[nodiscard]] std::optional<PythonRuntime> python_runtime(model::ProcessId process) const;
  [[nodiscard]] std::optional<model::ProcessId> live_process(int32_t pid) const;
  [[nodiscard]] bool knows(model::ProcessId process) const;
  [[nodiscard]] uint64_t python_processes() const;
  // Processes that live, kernel threads left out.
  [[nodiscard]] aggregate::StatusCounts count_statuses() const;
  // Those that live and run CPython or were sampled.
  [[nodiscard]] std::vector<model::ProcessInfo> list_known() const;

  account::ProcessOwner resolve_process(const account::CpuDelta& first) override;
  std::optional<account::ContainerKey> resolve_cgroup(uint64_t cgroup_id) override;

 private:
  struct Entry {
    model::ProcessInfo info;
    bool kernel_thread = false;
    bool ended = false;
    std::optional<PythonRuntime> runtime;
  };
  [[nodiscard]] model::ContainerIdentity container_of(uint64_t cgroup_id);

  const process::ProcFs proc_;
  mutable std::mutex mutex_;  // guards what follows
  process::CgroupPaths cgroups_;
  std::unordered_map<model::ProcessId, Entry> entries_;
  std::unordered_map<int32_t, model::ProcessId> live_;  // by pid
  std::deque<model::ProcessId> ended_;
};

}  // namespace pyprof::engine
