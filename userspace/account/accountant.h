// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "userspace/account/ledger.h"
#include "userspace/account/resolver.h"
#include "userspace/account/window.h"

// Adds up measured CPU time by process group and by container. At both levels
//   accepted = sum of the series + other + expired + unattributed
// holds to the nanosecond after every call.
namespace pyprof::account {

struct AccountantLimits {
  std::size_t groups = 500;
  std::size_t containers = 500;
  std::size_t processes = 16'384;  // owners remembered
  std::size_t cgroups = 4'096;
  uint64_t series_ttl_ns = 3'600'000'000'000;  // a series without CPU time for so long ends
  uint64_t cgroup_ttl_ns = 60'000'000'000;     // then its name is asked for again
};

// The time between two drains, to tell a glitch from CPU time.
struct Interval {
  uint64_t now_ns = 0;  // CLOCK_MONOTONIC at its end
  uint64_t elapsed_ns = 0;
  uint32_t cpus = 1;  // online
};

struct Totals {
  uint64_t accepted_ns = 0;
  uint64_t glitches = 0;   // deltas refused
  uint64_t glitch_ns = 0;  // what they claimed
  std::vector<std::pair<GroupKey, Amount>> groups;
  Amount other_groups;
  std::vector<std::pair<ContainerKey, Amount>> containers;
  Amount other_containers;
  Amount expired_groups;
  Amount expired_containers;
  std::array<uint64_t, kUnattributedReasons> unattributed_process_ns{};  // by Unattributed
  std::array<uint64_t, kUnattributedReasons> unattributed_container_ns{};
  uint64_t unattributed_samples = 0;  // of processes without a group
  uint64_t group_limit_hits = 0;      // times that a group had no place
  uint64_t container_limit_hits = 0;
};

// One thread: the one that drains the kernel's tables. `resolver` must outlive it.
class Accountant {
 public:
  Accountant(Resolver& resolver, const AccountantLimits& limits);

  // Deltas of one drain. A delta that no real thread could have used in the interval is refused.
  void add(std::span<const CpuDelta> deltas, const Interval& interval);

  // Samples that were delivered for a process.
  void add_samples(model::ProcessId process, uint64_t count, uint64_t now_ns);

  // The process has exited and its last delta was added.
  void forget(model::ProcessId process);

  [[nodiscard]] Totals totals() const;

  [[nodiscard]] WindowTotals& windows() { return windows_; }

 private:
  struct KnownProcess {
    GroupKey group;
    uint64_t last_ns = 0;
  };
  struct KnownCgroup {
    std::optional<ContainerKey> container;
    uint64_t asked_ns = 0;
  };

  [[nodiscard]] bool refuse(const CpuDelta& delta, const Interval& interval);
  void add_to_group(const CpuDelta& delta, uint64_t now_ns);
  void add_to_container(const CpuDelta& delta, uint64_t now_ns);
  void remember(model::ProcessId process, const GroupKey& group, uint64_t now_ns);
  [[nodiscard]] const std::optional<ContainerKey>& container_of(uint64_t cgroup_id,
                                                                uint64_t now_ns);

  Resolver& resolver_;
  const AccountantLimits limits_;
  std::unordered_map<model::ProcessId, KnownProcess> processes_;
  std::unordered_map<uint64_t, KnownCgroup> cgroups_;
  Ledger<GroupKey> groups_;
  Ledger<ContainerKey> containers_;
  WindowTotals windows_;
  uint64_t accepted_ns_ = 0;
  uint64_t glitches_ = 0;
  uint64_t glitch_ns_ = 0;
  uint64_t unattributed_samples_ = 0;
  std::array<uint64_t, kUnattributedReasons> unattributed_process_ns_{};
  std::array<uint64_t, kUnattributedReasons> unattributed_container_ns_{};
};

}  // namespace pyprof::account
