// SPDX-License-Identifier: Apache-2.0
// What an engine says of itself.
#include "userspace/base/clock.h"
#include "userspace/engine/engine_impl.h"

namespace pyprof::engine {

// Of the maps that userspace fills; the kernel's own hash maps can't be counted cheaply.
std::optional<uint64_t> Engine::Impl::entries_of(const std::string& map) const {
  if (map == "rows") return (tables_.rows().used() + WIRE_ROW_CHUNK - 1) / WIRE_ROW_CHUNK;
  if (map == "row_index") return (tables_.index().used() + WIRE_ROW_CHUNK - 1) / WIRE_ROW_CHUNK;
  if (map == "mappings") return tables_.mappings().used();
  if (map == "pythons") return tables_.pythons().used();
  return std::nullopt;
}

void Engine::Impl::add_faults(const Losses& now, EngineStatus& status) const {
  const auto& values = now.counters.values;
  const auto outcomes = probe::outcome_labels();
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    status.outcomes.emplace_back(outcomes[i].label, values.outcomes[i]);
  }
  const auto faults = probe::fault_labels();
  for (std::size_t i = 1; i < faults.size(); ++i) {
    status.faults.emplace_back(faults[i].label, values.faults[i]);
  }
  status.faults.emplace_back("queue_full", now.collector.lost_in_queue);
  status.faults.emplace_back("mapping_replaced", now.collector.outdated);
  status.faults.emplace_back("unknown_stack", now.aggregator.unknown_stacks);
  status.faults.emplace_back("malformed_record", now.collector.malformed);
  status.faults.emplace_back("lines_unread", now.aggregator.lines_lost);
  status.faults.emplace_back("tables_full", publisher_.refused() + catalog_.unplaced());
  const auto reader = publisher_.reader_counts();
  for (std::size_t i = 0; i < reader.failures.size(); ++i) {
    const auto reason = static_cast<reader::Failure>(i);
    status.faults.emplace_back(to_label(reason),
                               reader.failures[i] + symbol_files_.failures(reason));
  }
}

EngineStatus Engine::Impl::status() {
  EngineStatus status;
  const auto now = losses();
  const auto& values = now.counters.values;
  status.time_ns = monotonic_ns();
  status.event = "cpu-clock";
  status.kernel_ticks = values.ticks;
  add_faults(now, status);
  status.delivered = now.aggregator.delivered;
  status.identity_ns = values.identity_ns;
  status.identity_checks = values.identity_checks;
  status.code_records = values.code_records;
  status.late_stacks = now.collector.late;
  status.stack_bytes = values.stack_bytes;
  status.tick_bytes = values.tick_bytes;
  status.context_switches = values.switches;
  status.cpu_unattributed_ns = values.cpu_unattributed_ns;
  status.ring_fill_ratio = now.collector.ring_fill;
  status.queue_depth = queue_.size();
  status.queue_capacity = queue_.capacity();
  status.queue_dropped = queue_.dropped();
  status.debug_files = symbol_files_.downloads().stats();
  status.processes = now.collector.processes;
  status.python_processes = directory_.python_processes();
  status.statuses = directory_.count_statuses();
  status.native_frames = values.native_frames;
  status.python_frames = values.python_frames;
  status.events_lost = now.collector.events_lost;
  for (const auto& map : probe_->maps()) {
    status.maps.push_back({map.name, entries_of(map.name), map.max_entries, map.bytes});
  }
  status.cpu = meter_->totals();
  const std::lock_guard lock(mutex_);
  status.rate_hz = rate_hz_;
  const double seconds = static_cast<double>(status.time_ns - status_ns_) / 1e9;
  if (seconds > 0) {
    status.achieved_hz = static_cast<double>(values.ticks - status_ticks_) / seconds /
                         std::max(1u, probe_->online_cpus());
  }
  status_ns_ = status.time_ns;
  status_ticks_ = values.ticks;
  return status;
}

}  // namespace pyprof::engine
