// SPDX-License-Identifier: Apache-2.0
// The window of a snapshot.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>
#include <unordered_set>

#include "userspace/base/clock.h"
#include "userspace/engine/engine_impl.h"
#include "userspace/engine/thread_names.h"
#include "userspace/process/proc_fs.h"

namespace pyprof::engine {
namespace {

constexpr auto kNamesLimit = std::chrono::milliseconds(500);
constexpr uint64_t kPollNs = 50'000'000;
constexpr uint64_t kLookNs = 200'000'000;  // between looks whether the processes are still there

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

uint64_t outcome(const probe::Counters& counters, wire_outcome which) {
  return counters.values.outcomes[which];
}

uint64_t lost_ticks(const probe::Counters& c) {
  return outcome(c, WIRE_OUT_LOST_TICK) + outcome(c, WIRE_OUT_LOST_STACK) +
         outcome(c, WIRE_OUT_LOST_PROGRAM);
}

// A process that nobody has waited for yet runs no more, unless just its first thread has ended.
bool is_running(int32_t pid) {
  const auto stat = process::ProcFs().stat(pid);
  return stat && ((stat->state != 'Z' && stat->state != 'X') || stat->threads > 1);
}

}  // namespace

void Engine::Impl::wait(const SnapshotRequest& request,
                        const std::function<bool()>& cancelled) const {
  const uint64_t end_ns = monotonic_ns() + request.duration_ns;
  uint64_t look_ns = 0;
  while (true) {
    const uint64_t now_ns = monotonic_ns();
    if (now_ns >= end_ns || cancelled()) return;
    if (!request.pids.empty() && now_ns >= look_ns) {
      look_ns = now_ns + kLookNs;
      if (std::none_of(request.pids.begin(), request.pids.end(), is_running)) return;
    }
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(kPollNs, end_ns - now_ns)));
  }
}

Engine::Impl::Losses Engine::Impl::losses() {
  return {probe_->counters(), collector_->take_stats(), aggregator_.stats()};
}

model::Quality Engine::Impl::quality(const Losses& before, const Losses& after) const {
  const auto counters = after.counters - before.counters;
  model::Quality quality;
  const uint64_t queue = after.collector.lost_in_queue - before.collector.lost_in_queue;
  const uint64_t outdated = after.collector.outdated - before.collector.outdated;
  const uint64_t unknown = after.aggregator.unknown_stacks - before.aggregator.unknown_stacks;
  quality.kernel_ticks = counters.values.ticks - outcome(counters, WIRE_OUT_IDLE) -
                         outcome(counters, WIRE_OUT_FILTERED);
  quality.lost = lost_ticks(counters) + queue + outdated + unknown;
  const auto labels = probe::fault_labels();
  for (std::size_t i = 1; i < labels.size(); ++i) {
    const uint64_t count = counters.values.faults[i];
    if (count > 0) quality.faults[std::string(labels[i].label)] = count;
  }
  if (queue > 0) quality.faults["queue_full"] = queue;
  if (outdated > 0) quality.faults["mapping_replaced"] = outdated;
  if (unknown > 0) quality.faults["unknown_stack"] = unknown;
  return quality;
}

void Engine::Impl::read_names(const std::vector<int32_t>& pids, Names& names) const {
  for (const int32_t pid : pids) {
    const auto process = directory_.live_process(pid);
    const auto runtime = process ? directory_.python_runtime(*process) : std::nullopt;
    if (!runtime) continue;
    for (auto& [tid, name] : thread_names(pid, *runtime, kNamesLimit)) {
      names[pid][tid] = std::move(name);
    }
  }
}

void Engine::Impl::leave_targets(account::WindowCpu& cpu) const {
  const auto targets = probe_->targets();
  const std::unordered_set<int32_t> family(targets.begin(), targets.end());
  std::erase_if(cpu.threads, [&](const auto& thread) { return !family.contains(thread.pid); });
}

void Engine::Impl::add_threads(aggregate::ProfileBuilder& builder, const account::WindowCpu& cpu,
                               const Names& names) const {
  for (const auto& thread : cpu.threads) {
    const auto process = names.find(thread.pid);
    std::string name;
    if (process != names.end()) {
      const auto own = process->second.find(thread.tid);
      if (own != process->second.end()) name = own->second;
    }
    builder.add_thread(thread.process, thread.pid, thread.tid, thread.comm, name, thread.ns);
  }
}

Result<model::Profile> Engine::Impl::snapshot(const SnapshotRequest& request,
                                              const std::function<bool()>& cancelled) {
  aggregate::WindowInfo info;
  {
    const std::lock_guard lock(mutex_);
    const auto wish = wanted_rates_.insert(request.rate_hz);
    if (const auto applied = apply_rate(); !applied) {
      wanted_rates_.erase(wish);
      return applied.error();
    }
    info.rate_hz = request.rate_hz;
  }
  const auto before = losses();
  // Whose children are followed is not known yet: then the kernel chooses alone.
  const auto asked = options_.follow_children ? std::vector<int32_t>() : request.pids;
  const uint64_t cpu_window = meter_->open_window(asked);
  const uint64_t start_ns = monotonic_ns();
  info.start_unix_ns = static_cast<int64_t>(realtime_ns());
  const uint64_t window = aggregator_.open_window(asked, start_ns, info.rate_hz, request.labels);
  Names names;
  if (!request.in_a_row) read_names(request.pids, names);
  wait(request, cancelled);
  read_names(options_.follow_children ? probe_->targets() : request.pids, names);
  flush();
  auto cpu = meter_->close_window(cpu_window);
  // Both samples and CPU time are counted up to here.
  info.duration_ns = monotonic_ns() - start_ns;
  if (options_.follow_children) leave_targets(cpu);
  {
    const std::lock_guard lock(mutex_);
    wanted_rates_.erase(wanted_rates_.find(request.rate_hz));
    [[maybe_unused]] const auto lowered = apply_rate();
  }
  info.host = host_name();
  info.tool_version = options_.tool_version;
  info.period_ns = 1'000'000'000 / std::max(1u, info.rate_hz);
  info.event = "cpu-clock";
  info.quality = quality(before, losses());
  auto profile = aggregator_.close_window(
      window, info, [&](aggregate::ProfileBuilder& builder) { add_threads(builder, cpu, names); },
      [this](model::ProcessId process, int32_t pid) { return directory_.describe(process, pid); });
  for (const auto& process : profile.processes)
    directory_.set_coverage(process.process, process.coverage);
  return profile;
}

}  // namespace pyprof::engine
