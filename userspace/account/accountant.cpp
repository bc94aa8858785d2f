// SPDX-License-Identifier: Apache-2.0
#include "userspace/account/accountant.h"

#include <algorithm>

namespace pyprof::account {
namespace {

// A thread that is charged late may bring a little more than the interval; one tick at 100 Hz.
constexpr uint64_t kTickNs = 10'000'000;

uint64_t& slot(std::array<uint64_t, kUnattributedReasons>& by_reason, Unattributed reason) {
  return by_reason[static_cast<std::size_t>(reason)];
}

// Makes room by forgetting the quarter that was used longest ago, so that a full table costs one
// pass per many insertions.
template <typename Map, typename LastUse>
void forget_oldest(Map& map, LastUse last_use) {
  std::vector<uint64_t> times;
  times.reserve(map.size());
  for (const auto& [key, value] : map)
    times.push_back(last_use(value));
  const auto quarter = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 4);
  std::nth_element(times.begin(), quarter, times.end());
  const uint64_t oldest = *quarter;
  std::erase_if(map, [&](const auto& entry) { return last_use(entry.second) <= oldest; });
}

}  // namespace

const char* to_label(Unattributed reason) {
  switch (reason) {
    case Unattributed::kExitedBeforeRead:
      return "exited_before_read";
    case Unattributed::kKernelThread:
      return "kernel_thread";
    case Unattributed::kUnknownCgroup:
      break;
  }
  return "unknown_cgroup";
}

Accountant::Accountant(Resolver& resolver, const AccountantLimits& limits)
    : resolver_(resolver),
      limits_(limits),
      groups_(limits.groups),
      containers_(limits.containers) {}

void Accountant::add(std::span<const CpuDelta> deltas, const Interval& interval) {
  const uint64_t ttl_ns = limits_.series_ttl_ns;
  if (interval.now_ns > ttl_ns) {
    groups_.expire(interval.now_ns - ttl_ns);
    containers_.expire(interval.now_ns - ttl_ns);
  }
  for (const CpuDelta& delta : deltas) {
    if (refuse(delta, interval)) continue;
    accepted_ns_ += delta.ns;
    add_to_group(delta, interval.now_ns);
    add_to_container(delta, interval.now_ns);
    windows_.add(delta);
  }
}

bool Accountant::refuse(const CpuDelta& delta, const Interval& interval) {
  const double limit_ns =
      static_cast<double>(interval.cpus) * static_cast<double>(interval.elapsed_ns) * 1.05 +
      kTickNs;
  if (static_cast<double>(delta.ns) <= limit_ns) return false;
  ++glitches_;
  // Saturates: a glitch may claim the whole range.
  glitch_ns_ = delta.ns > UINT64_MAX - glitch_ns_ ? UINT64_MAX : glitch_ns_ + delta.ns;
  return true;
}

void Accountant::add_to_group(const CpuDelta& delta, uint64_t now_ns) {
  const auto known = processes_.find(delta.process);
  if (known != processes_.end()) {
    known->second.last_ns = now_ns;
    groups_.add(known->second.group, {delta.ns, 0}, now_ns);
    return;
  }
  const ProcessOwner owner = resolver_.resolve_process(delta);
  if (!owner.group) {
    slot(unattributed_process_ns_, owner.reason) += delta.ns;
    return;
  }
  remember(delta.process, *owner.group, now_ns);
  groups_.add(*owner.group, {delta.ns, 0}, now_ns);
}

void Accountant::add_to_container(const CpuDelta& delta, uint64_t now_ns) {
  const auto& container = container_of(delta.cgroup_id, now_ns);
  if (container) {
    containers_.add(*container, {delta.ns, 0}, now_ns);
  } else {
    slot(unattributed_container_ns_, Unattributed::kUnknownCgroup) += delta.ns;
  }
}

void Accountant::add_samples(model::ProcessId process, uint64_t count, uint64_t now_ns) {
  const auto known = processes_.find(process);
  if (known == processes_.end()) {
    unattributed_samples_ += count;
  } else {
    groups_.add(known->second.group, {0, count}, now_ns);
  }
}

void Accountant::forget(model::ProcessId process) {
  processes_.erase(process);
}

void Accountant::remember(model::ProcessId process, const GroupKey& group, uint64_t now_ns) {
  if (limits_.processes == 0) return;
  if (processes_.size() >= limits_.processes) {
    forget_oldest(processes_, [](const KnownProcess& each) { return each.last_ns; });
  }
  processes_.insert_or_assign(process, KnownProcess{group, now_ns});
}

const std::optional<ContainerKey>& Accountant::container_of(uint64_t cgroup_id, uint64_t now_ns) {
  auto known = cgroups_.find(cgroup_id);
  if (known == cgroups_.end()) {
    if (cgroups_.size() >= limits_.cgroups) {
      forget_oldest(cgroups_, [](const KnownCgroup& each) { return each.asked_ns; });
    }
    known = cgroups_.emplace(cgroup_id, KnownCgroup{}).first;
  } else if (now_ns - known->second.asked_ns < limits_.cgroup_ttl_ns) {
    return known->second.container;
  }
  // A cgroup that is gone keeps the name it had.
  auto container = resolver_.resolve_cgroup(cgroup_id);
  if (container) known->second.container = std::move(container);
  known->second.asked_ns = now_ns;
  return known->second.container;
}

Totals Accountant::totals() const {
  Totals totals;
  totals.accepted_ns = accepted_ns_;
  totals.glitches = glitches_;
  totals.glitch_ns = glitch_ns_;
  totals.groups = groups_.entries();
  totals.other_groups = groups_.other();
  totals.expired_groups = groups_.expired();
  totals.group_limit_hits = groups_.over_limit();
  totals.containers = containers_.entries();
  totals.other_containers = containers_.other();
  totals.expired_containers = containers_.expired();
  totals.container_limit_hits = containers_.over_limit();
  totals.unattributed_process_ns = unattributed_process_ns_;
  totals.unattributed_container_ns = unattributed_container_ns_;
  totals.unattributed_samples = unattributed_samples_;
  return totals;
}

}  // namespace pyprof::account
