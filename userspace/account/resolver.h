// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "userspace/model/sample.h"

// CPU time as the scheduler measured it, and who it belongs to.
namespace pyprof::account {

// CPU time of one thread since the last drain. Each nanosecond appears in exactly one delta.
struct CpuDelta {
  model::ProcessId process = 0;
  int32_t pid = 0;
  int32_t tid = 0;
  uint64_t cgroup_id = 0;
  uint64_t ns = 0;
  std::string comm;
};

// Name under which a process is counted: the basename of its executable, or the script or module
// that its interpreter runs. Never a pid, never arguments.
struct GroupKey {
  std::string group;
  std::string container;  // as ContainerKey::container, empty = none
  std::string lang;       // "python", "native"
  auto operator<=>(const GroupKey&) const = default;
};

// A container or a systemd unit.
struct ContainerKey {
  std::string container;
  std::string runtime;
  std::string pod_uid;
  std::string unit;
  auto operator<=>(const ContainerKey&) const = default;
};

// Why CPU time could not be given to anyone at a level.
enum class Unattributed : uint8_t { kExitedBeforeRead, kKernelThread, kUnknownCgroup };
inline constexpr std::size_t kUnattributedReasons = 3;

// The label value: "exited_before_read", "kernel_thread", "unknown_cgroup".
[[nodiscard]] const char* to_label(Unattributed reason);

// Either a group or the reason why there is none.
struct ProcessOwner {
  std::optional<GroupKey> group;
  Unattributed reason = Unattributed::kExitedBeforeRead;
};

// What the accountant asks once per process and cgroup; implemented by the daemon over process/ and
// python/. Called on the thread that calls Accountant::add().
class Resolver {
 public:
  virtual ~Resolver() = default;

  // A group is remembered until the process is forgotten; a reason is asked for again.
  [[nodiscard]] virtual ProcessOwner resolve_process(const CpuDelta& first) = 0;

  // Empty = the cgroup is gone and was never seen, or is the root.
  [[nodiscard]] virtual std::optional<ContainerKey> resolve_cgroup(uint64_t cgroup_id) = 0;
};

}  // namespace pyprof::account
