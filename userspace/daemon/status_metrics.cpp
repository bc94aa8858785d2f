// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/status_metrics.h"

#include <map>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/daemon/version.h"
#include "userspace/probe/counter_labels.h"

namespace pyprof::daemon {
namespace {

using server::Metric;
using server::MetricsSnapshot;

using Counts = std::vector<std::pair<std::string, uint64_t>>;

constexpr std::string_view kOther = "__other__";

double number(uint64_t value) {
  return static_cast<double>(value);
}

uint64_t value_of(const Counts& counts, std::string_view label) {
  for (const auto& [name, value] : counts) {
    if (name == label) return value;
  }
  return 0;
}

// The labels of the kernel's list first, 0 where nothing was counted, then those of userspace.
void add_labelled(MetricsSnapshot& out, Metric metric, const Counts& counts,
                  std::span<const probe::CounterLabel> known) {
  for (const auto& each : known)
    out.add(metric, {each.label}, number(value_of(counts, each.label)));
  for (const auto& [name, value] : counts) {
    bool is_known = false;
    for (const auto& each : known)
      is_known = is_known || each.label == name;
    if (!is_known) out.add(metric, {name}, number(value));
  }
}

// This metric has no language: groups that differ in it alone are one series.
void add_group_samples(MetricsSnapshot& out, const account::Totals& cpu) {
  std::map<std::pair<std::string, std::string>, uint64_t> sums;
  for (const auto& [key, amount] : cpu.groups)
    sums[{key.group, key.container}] += amount.samples;
  for (const auto& [key, samples] : sums)
    out.add(Metric::kProcessSamples, {key.first, key.second}, number(samples));
  out.add(Metric::kProcessSamples, {kOther, ""}, number(cpu.other_groups.samples));
}

void add_samples(MetricsSnapshot& out, const DaemonStatus& status) {
  const WindowSums& windows = status.windows;
  const engine::EngineStatus& engine = status.engine;
  out.add(Metric::kSamples, {"ok"}, number(windows.samples - windows.truncated));
  out.add(Metric::kSamples, {"truncated"}, number(windows.truncated));
  out.add(Metric::kTruncatedSamples, {"native"}, number(windows.truncated_native));
  out.add(Metric::kTruncatedSamples, {"python"}, number(windows.truncated_python));
  const Counts& outcomes = engine.outcomes;
  out.add(Metric::kLostSamples, {"ring"},
          number(value_of(outcomes, "lost_tick") + value_of(outcomes, "lost_stack")));
  out.add(Metric::kLostSamples, {"kernel"}, number(value_of(outcomes, "lost_program")));
  out.add(Metric::kLostSamples, {"queue"}, number(engine.queue_dropped));
  add_labelled(out, Metric::kKernelTicks, outcomes, probe::outcome_labels());
  add_labelled(out, Metric::kFaults, engine.faults, probe::fault_labels().subspan(1));
  add_group_samples(out, engine.cpu);
  out.add(Metric::kUnattributedSamples, {}, number(engine.cpu.unattributed_samples));
}

void add_cpu(MetricsSnapshot& out, const account::Totals& cpu) {
  for (const auto& [key, amount] : cpu.groups)
    out.add_ns(Metric::kProcessCpu, {key.group, key.container, key.lang}, amount.cpu_ns);
  out.add_ns(Metric::kProcessCpu, {kOther, "", ""}, cpu.other_groups.cpu_ns);
  for (const auto& [key, amount] : cpu.containers) {
    out.add_ns(Metric::kContainerCpu, {key.container, key.runtime, key.pod_uid, key.unit},
               amount.cpu_ns);
  }
  out.add_ns(Metric::kContainerCpu, {kOther, "", "", ""}, cpu.other_containers.cpu_ns);
  out.add(Metric::kCpuGlitches, {}, number(cpu.glitches));
}

void add_unattributed(MetricsSnapshot& out, const engine::EngineStatus& engine) {
  for (std::size_t i = 0; i < account::kUnattributedReasons; ++i) {
    const char* reason = account::to_label(static_cast<account::Unattributed>(i));
    out.add_ns(Metric::kUnattributedCpu, {"process", reason},
               engine.cpu.unattributed_process_ns[i]);
    out.add_ns(Metric::kUnattributedCpu, {"container", reason},
               engine.cpu.unattributed_container_ns[i]);
  }
  // What found no place in the kernel's table of threads is missing at both levels.
  for (const char* level : {"process", "container"})
    out.add_ns(Metric::kUnattributedCpu, {level, "over_limit"}, engine.cpu_unattributed_ns);
}

void add_limits(MetricsSnapshot& out, const account::Totals& cpu) {
  const struct {
    Metric metric;
    std::size_t series;
    uint64_t hits;
  } limited[] = {{Metric::kProcessCpu, cpu.groups.size(), cpu.group_limit_hits},
                 {Metric::kContainerCpu, cpu.containers.size(), cpu.container_limit_hits}};
  for (const auto& each : limited) {
    const std::string_view name = server::info_of(each.metric).name;
    out.add(Metric::kSeries, {name}, number(each.series));
    out.add(Metric::kSeriesLimitHits, {name}, number(each.hits));
  }
}

void add_pipeline(MetricsSnapshot& out, const engine::EngineStatus& engine) {
  out.add(Metric::kSamplingRate, {"requested"}, engine.rate_hz);
  out.add(Metric::kSamplingRate, {"achieved"}, engine.achieved_hz);
  for (const engine::MapUse& map : engine.maps) {
    if (map.entries) out.add(Metric::kBpfMapEntries, {map.name}, number(*map.entries));
    out.add(Metric::kBpfMapMaxEntries, {map.name}, number(map.max_entries));
    out.add(Metric::kBpfMapBytes, {map.name}, number(map.bytes));
  }
  out.add(Metric::kRingFill, {"samples"}, engine.ring_fill_ratio);
  out.add(Metric::kEventsLost, {"process"}, number(engine.events_lost));
  out.add(Metric::kQueueDepth, {"samples"}, number(engine.queue_depth));
  out.add(Metric::kQueueCapacity, {"samples"}, number(engine.queue_capacity));
  out.add(Metric::kQueueDropped, {"samples"}, number(engine.queue_dropped));
  out.add(Metric::kDebugFiles, {"found"}, number(engine.debug_files.found));
  out.add(Metric::kDebugFiles, {"missing"}, number(engine.debug_files.missing));
  out.add(Metric::kDebugFiles, {"failed"}, number(engine.debug_files.failed));
  out.add(Metric::kDebugFiles, {"dropped"}, number(engine.debug_files.dropped));
  out.add(Metric::kLateStacks, {}, number(engine.late_stacks));
  const uint64_t python = engine.python_processes;
  out.add(Metric::kProcesses, {"python"}, number(python));
  out.add(Metric::kProcesses, {"native"},
          number(engine.processes > python ? engine.processes - python : 0));
}

void add_statuses(MetricsSnapshot& out, const engine::EngineStatus& engine) {
  for (const auto& row : engine.statuses.rows())
    out.add(Metric::kProcessStatus, {row.lang, row.status, row.reason}, number(row.processes));
  out.add(Metric::kFrames, {"native"}, number(engine.native_frames));
  out.add(Metric::kFrames, {"python"}, number(engine.python_frames));
}

void add_daemon(MetricsSnapshot& out, const DaemonStatus& status) {
  out.add(Metric::kSnapshots, {"ok"}, number(status.snapshots.ok));
  out.add(Metric::kSnapshots, {"no_samples"}, number(status.snapshots.no_samples));
  out.add(Metric::kSnapshots, {"error"}, number(status.snapshots.failed));
  out.add(Metric::kBuildInfo, {tool_version(), status.engine.event}, 1);
  out.add(Metric::kConfigReloadSuccessful, {}, status.reload.successful ? 1 : 0);
  out.add(Metric::kConfigReloadTime, {}, static_cast<double>(status.reload.success_unix_ns) / 1e9);
  out.add(Metric::kHeartbeat, {}, static_cast<double>(status.now_unix_ns) / 1e9);
  out.add_self();
}

}  // namespace

MetricsSnapshot to_metrics(const DaemonStatus& status) {
  MetricsSnapshot out;
  add_samples(out, status);
  add_cpu(out, status.engine.cpu);
  add_unattributed(out, status.engine);
  add_limits(out, status.engine.cpu);
  add_pipeline(out, status.engine);
  add_statuses(out, status.engine);
  add_daemon(out, status);
  return out;
}

}  // namespace pyprof::daemon
