// SPDX-License-Identifier: Apache-2.0
// What a Tracker is asked, and how it takes the answers of /proc.
#include <algorithm>
#include <utility>

#include "userspace/process/tracker.h"

namespace pyprof::process {

bool Tracker::needs_scan() const {
  return scan_all_ || !to_scan_.empty();
}

void Tracker::request_scan(const ProcessState& state) {
  // One flag serves when there are more requests than processes.
  if (to_scan_.size() >= limits_.max_processes) scan_all_ = true;
  if (scan_all_) to_scan_.clear();
  if (!scan_all_) to_scan_.push_back(state.process);
}

std::vector<ScanRequest> Tracker::take_scan_requests() {
  std::vector<ScanRequest> requests;
  const auto add = [&](const ProcessState& state) {
    if (state.process == 0 || state.exited_ns != 0 || state.kernel_thread) return;
    requests.push_back({state.process, state.pid, state.start_ns});
  };
  if (std::exchange(scan_all_, false)) {
    to_scan_.clear();
    for (const auto& [pid, state] : live_)
      add(*state);
    return requests;
  }
  for (const auto process : std::exchange(to_scan_, {})) {
    if (const auto* state = known(process)) add(*state);
  }
  return requests;
}

void Tracker::apply(const ScanResult& result) {
  auto* state = known(result.of.process);
  if (state == nullptr || state->exited_ns != 0) return;
  if (result.gone) return retire(state->pid, result.time_ns);
  state->mappings_known = true;
  // Empty if the main thread has ended before the others: that says nothing of the mappings.
  const auto& seen = result.maps.mappings;
  if (seen.empty()) return;
  auto& space = state->space.write();
  const auto dropped = space.dropped();
  bool changed = false;
  if (result.maps.complete) {
    changed = space.merge_scan(seen, result.time_ns);
  } else {
    for (const auto& mapping : seen)
      changed = space.map(mapping, result.time_ns) || changed;
  }
  counters_.dropped_mappings += space.dropped() - dropped;
  if (changed) mark_changed(*state);
}

void Tracker::scan(const ProcFs& proc) {
  for (const auto& request : take_scan_requests())
    apply(read_mappings(proc, request));
}

const ProcessState* Tracker::find(model::ProcessId process) const {
  return known(process);
}

const ProcessState* Tracker::find_pid(int32_t pid) const {
  return live(pid);
}

std::string_view Tracker::comm(model::ProcessId process, int32_t tid) const {
  const auto* state = known(process);
  if (state == nullptr) return {};
  const auto own = state->thread_comms.find(tid);
  return own == state->thread_comms.end() ? state->comm : own->second;
}

model::NativeAddress Tracker::resolve(model::ProcessId process, uint64_t pc, uint64_t time_ns) {
  model::NativeAddress unknown{0, pc, pc};
  auto* state = known(process);
  if (state == nullptr) return unknown;
  auto* range = state->space.write_for_all().find(pc, time_ns);
  if (range == nullptr) return unknown;
  if (range->binding.file == 0) {
    const auto binding = files_.find(range->mapping);
    if (!binding) return unknown;
    range->binding = *binding;
  }
  return {range->binding.file, pc - range->binding.bias, pc};
}

bool Tracker::suspicious(model::ProcessId process, uint64_t pc, uint64_t sample_time_ns,
                         uint64_t tables_built_ns) const {
  const auto* state = known(process);
  return state != nullptr &&
         state->space.read().replaced_between(pc, tables_built_ns, sample_time_ns);
}

}  // namespace pyprof::process
