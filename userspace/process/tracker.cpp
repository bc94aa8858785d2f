// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/tracker.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "bpf/wire.h"
#include "userspace/base/clock.h"

namespace pyprof::process {
namespace {

// start_ticks is rounded down from the same clock; one tick of slack for how it is rounded.
bool same_start(const ProcessStat& stat, uint64_t start_ns) {
  static const auto ticks_per_second = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  const uint64_t expected = start_ns / (1'000'000'000 / ticks_per_second);
  return start_ns == 0 || (stat.start_ticks <= expected + 1 && expected <= stat.start_ticks + 1);
}

}  // namespace

ScanResult read_mappings(const ProcFs& proc, const ScanRequest& request) {
  ScanResult result;
  result.of = request;
  result.time_ns = monotonic_ns();
  auto maps = proc.maps(request.pid);
  // After the maps: if the process is still the one we meant, they were its.
  const auto stat = proc.stat(request.pid);
  result.gone =
      stat ? !same_start(*stat, request.start_ns) : stat.error().code == ExitCode::kNoProcess;
  if (maps && stat && !result.gone) result.maps = std::move(*maps);
  return result;
}

void Tracker::apply(const model::ProcessEvent& event) {
  using Kind = model::ProcessEvent::Kind;
  expire(event.time_ns);
  switch (event.kind) {
    case Kind::kScan:
      return on_scan(event);
    case Kind::kFork:
      return on_fork(event);
    case Kind::kExec:
      return on_exec(event);
    case Kind::kExit:
      return on_exit(event);
    case Kind::kMmap:
      return on_map(event);
    case Kind::kComm:
      return event.exec_id == kExecBegins ? on_exec_begins(event) : on_comm(event);
    case Kind::kLost:
      counters_.lost_events += event.lost_count;
      scan_all_ = true;
      return;
  }
}

void Tracker::on_scan(const model::ProcessEvent& event) {
  auto* state = begin_generation(event);
  if (state != nullptr && !state->mappings_known) request_scan(*state);
}

void Tracker::on_fork(const model::ProcessEvent& event) {
  const bool only_a_thread = event.process == event.parent_process;
  if (only_a_thread) return;
  auto* before = live(event.pid);
  if (before != nullptr && before->process == 0) retire(event.pid, event.time_ns);
  auto* child = begin_generation(event);
  if (child == nullptr) return;
  child->parent = event.parent_process;
  child->parent_pid = event.parent_pid;
  if (child->mappings_known) return;
  const auto* parent = known(event.parent_process);
  if (parent == nullptr) parent = live(event.parent_pid);
  if (parent != nullptr) {
    child->space = parent->space;
    child->mappings_known = parent->mappings_known;
  }
  if (!child->mappings_known) request_scan(*child);
}

void Tracker::on_exec_begins(const model::ProcessEvent& event) {
  AddressSpace mapped_since;
  auto* old = live(event.pid);
  ProcessState heir;
  if (old != nullptr) {
    const bool exec_already_seen = old->process != 0 && old->since_ns >= event.time_ns;
    if (exec_already_seen) return on_comm(event);
    mapped_since = old->space.write().split_newer(event.time_ns);
    heir.namespace_pid = old->namespace_pid;
    heir.parent = old->parent;
    heir.parent_pid = old->parent_pid;
    heir.start_ns = old->start_ns;
    heir.cgroup_id = old->cgroup_id;
    retire(event.pid, event.time_ns);
  }
  auto* state = create(event.pid, event.time_ns);
  if (state == nullptr) return;
  heir.pid = event.pid;
  heir.since_ns = event.time_ns;
  heir.comm = event.comm.substr(0, WIRE_COMM_LEN);
  heir.mappings_known = true;
  heir.space = SharedSpace(std::move(mapped_since));
  *state = std::move(heir);
}

void Tracker::on_exec(const model::ProcessEvent& event) {
  auto* state = begin_generation(event);
  if (state != nullptr && !state->mappings_known) request_scan(*state);
}

void Tracker::on_exit(const model::ProcessEvent& event) {
  const bool one_thread = event.process == 0 && event.tid != 0 && event.tid != event.pid;
  auto* state = live(event.pid);
  if (state == nullptr) return;
  if (one_thread) {
    thread_comms_ -= state->thread_comms.erase(event.tid);
    return;
  }
  // Of an older generation, told late: the pid is in use again. In the middle of exec it is ours.
  const auto* named = known(event.process);
  if (named != nullptr && named != state && state->process != 0) return;
  retire(event.pid, event.time_ns);
}

void Tracker::on_map(const model::ProcessEvent& event) {
  auto* state = live(event.pid);
  if (state == nullptr) {
    ++counters_.orphan_mappings;
    return;
  }
  auto& space = state->space.write();
  const auto dropped = space.dropped();
  if (space.map(event.mapping, event.time_ns)) mark_changed(*state);
  counters_.dropped_mappings += space.dropped() - dropped;
}

void Tracker::on_comm(const model::ProcessEvent& event) {
  auto* state = live(event.pid);
  if (state == nullptr) return;
  auto comm = event.comm.substr(0, WIRE_COMM_LEN);
  if (event.tid == 0 || event.tid == event.pid) {
    state->comm = std::move(comm);
    return;
  }
  const auto found = state->thread_comms.find(event.tid);
  if (found != state->thread_comms.end()) {
    found->second = std::move(comm);
    return;
  }
  if (thread_comms_ >= limits_.max_thread_comms ||
      state->thread_comms.size() >= limits_.max_comms_per_process) {
    ++counters_.dropped_comms;
    return;
  }
  state->thread_comms.emplace(event.tid, std::move(comm));
  ++thread_comms_;
}

// The live state of the generation that the event names: the one there is, the one in the middle of
// exec, or a new one, in which case whoever had the pid is gone. nullptr if it can't be.
ProcessState* Tracker::begin_generation(const model::ProcessEvent& event) {
  if (event.process == 0 || event.pid <= 0 || exited_.contains(event.process)) return nullptr;
  auto* state = live(event.pid);
  if (state != nullptr && state->process != 0 && state->process != event.process) {
    auto mapped_since = state->space.write().split_newer(event.time_ns);
    const auto [parent, parent_pid] = std::pair(state->parent, state->parent_pid);
    retire(event.pid, event.time_ns);
    state = create(event.pid, event.time_ns);
    if (state == nullptr) return nullptr;
    state->space = SharedSpace(std::move(mapped_since));
    state->parent = parent;
    state->parent_pid = parent_pid;
  }
  if (state == nullptr) state = create(event.pid, event.time_ns);
  if (state == nullptr) return nullptr;
  fill(*state, event);
  if (state->process == 0) name(*state, event.process);
  return state;
}

void Tracker::fill(ProcessState& state, const model::ProcessEvent& event) {
  state.namespace_pid = event.namespace_pid;
  state.start_ns = event.start_ns;
  state.exec_id = event.exec_id;
  state.cgroup_id = event.cgroup_id;
  state.stack_top = event.stack_top;
  state.kernel_thread = event.kernel_thread;
  if (event.kernel_thread) state.mappings_known = true;
  if (event.parent_pid != 0) state.parent_pid = event.parent_pid;
  if (!event.comm.empty()) state.comm = event.comm.substr(0, WIRE_COMM_LEN);
}

void Tracker::name(ProcessState& state, model::ProcessId process) {
  state.process = process;
  generations_[process] = &state;
  mark_changed(state);
}

ProcessState* Tracker::live(int32_t pid) const {
  const auto found = live_.find(pid);
  return found == live_.end() ? nullptr : found->second.get();
}

ProcessState* Tracker::known(model::ProcessId process) const {
  const auto found = generations_.find(process);
  return found == generations_.end() ? nullptr : found->second;
}

ProcessState* Tracker::create(int32_t pid, uint64_t time_ns) {
  if (!make_room()) {
    ++counters_.refused_processes;
    return nullptr;
  }
  auto state = std::make_unique<ProcessState>();
  state->pid = pid;
  state->since_ns = time_ns;
  return (live_[pid] = std::move(state)).get();
}

// Exited processes give way first, before their grace time is over.
bool Tracker::make_room() {
  if (live_.size() + exited_.size() < limits_.max_processes) return true;
  if (exit_order_.empty()) return false;
  expire(exit_order_.front().time_ns + limits_.grace_ns);
  return live_.size() + exited_.size() < limits_.max_processes;
}

void Tracker::retire(int32_t pid, uint64_t time_ns) {
  auto node = live_.extract(pid);
  if (node.empty()) return;
  StatePtr state = std::move(node.mapped());
  drop_comms(*state);
  if (state->process == 0) return;
  const auto process = state->process;
  state->exited_ns = time_ns;
  generations_[process] = state.get();
  exited_[process] = std::move(state);
  exit_order_.push_back({time_ns, process});
  if (ended_.size() >= limits_.max_processes) {
    ended_.pop_front();
    ++counters_.dropped_exits;
  }
  ended_.push_back(process);
}

void Tracker::drop_comms(ProcessState& state) {
  thread_comms_ -= state.thread_comms.size();
  state.thread_comms.clear();
}

void Tracker::mark_changed(ProcessState& state) {
  if (state.changed || state.process == 0) return;
  const auto is_gone = [&](model::ProcessId id) {
    const auto* other = known(id);
    return other == nullptr || other->exited_ns != 0;
  };
  if (changed_.size() >= 2 * limits_.max_processes) std::erase_if(changed_, is_gone);
  state.changed = true;
  changed_.push_back(state.process);
}

void Tracker::expire(uint64_t now_ns) {
  while (!exit_order_.empty() && exit_order_.front().time_ns + limits_.grace_ns <= now_ns) {
    const auto process = exit_order_.front().process;
    exit_order_.pop_front();
    generations_.erase(process);
    exited_.erase(process);
  }
}

std::vector<model::ProcessId> Tracker::take_changed() {
  std::vector<model::ProcessId> taken;
  for (const auto process : std::exchange(changed_, {})) {
    auto* state = known(process);
    if (state == nullptr || state->exited_ns != 0) continue;
    state->changed = false;
    taken.push_back(process);
  }
  return taken;
}

std::vector<model::ProcessId> Tracker::take_exited() {
  const auto taken = std::exchange(ended_, {});
  return {taken.begin(), taken.end()};
}

}  // namespace pyprof::process
