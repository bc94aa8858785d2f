// SPDX-License-Identifier: Apache-2.0
#include "userspace/server/metric_catalogue.h"

#include <array>

namespace pyprof::server {
namespace {

constexpr auto kCounter = MetricKind::kCounter;
constexpr auto kGauge = MetricKind::kGauge;

constexpr std::string_view kResult[] = {"result"};
constexpr std::string_view kWhere[] = {"where"};
constexpr std::string_view kReason[] = {"reason"};
constexpr std::string_view kPart[] = {"part"};
constexpr std::string_view kOwner[] = {"group", "container", "lang"};
constexpr std::string_view kContainer[] = {"container", "runtime", "pod_uid", "unit"};
constexpr std::string_view kLevelReason[] = {"level", "reason"};
constexpr std::string_view kGroupContainer[] = {"group", "container"};
constexpr std::string_view kKindLabel[] = {"kind"};
constexpr std::string_view kMap[] = {"map"};
constexpr std::string_view kRing[] = {"ring"};
constexpr std::string_view kType[] = {"type"};
constexpr std::string_view kQueue[] = {"queue"};
constexpr std::string_view kMetricLabel[] = {"metric"};
constexpr std::string_view kLang[] = {"lang"};
constexpr std::string_view kStatus[] = {"lang", "status", "reason"};
constexpr std::string_view kBuild[] = {"version", "event"};

// In the order of the enumerators.
constexpr std::array<MetricInfo, kMetricCount> kCatalogue{{
    {"pyebpf_prof_samples_total", kCounter, "Samples by how complete their stack is.", kResult},
    {"pyebpf_prof_lost_samples_total", kCounter, "Samples that were taken and then lost.", kWhere},
    {"pyebpf_prof_faults_total", kCounter, "Things that could not be read or kept, by reason.",
     kReason},
    {"pyebpf_prof_truncated_samples_total", kCounter,
     "Samples whose stack does not reach the root, by part of the stack.", kPart},
    {"pyebpf_prof_kernel_ticks_total", kCounter, "Sampling ticks in the kernel, by their fate.",
     kResult},
    {"pyebpf_prof_process_cpu_seconds_total", kCounter,
     "CPU time as the scheduler measured it, by process group.", kOwner},
    {"pyebpf_prof_container_cpu_seconds_total", kCounter,
     "CPU time as the scheduler measured it, by container or systemd unit.", kContainer},
    {"pyebpf_prof_unattributed_cpu_seconds_total", kCounter,
     "CPU time that was measured but could not be given to anyone at this level.", kLevelReason},
    {"pyebpf_prof_process_samples_total", kCounter,
     "Samples by process group; few samples mean wide error bars.", kGroupContainer},
    {"pyebpf_prof_unattributed_samples_total",
     kCounter,
     "Samples of processes without a process group.",
     {}},
    {"pyebpf_prof_cpu_glitches_total",
     kCounter,
     "CPU times that were refused because no thread can have used them.",
     {}},
    {"pyebpf_prof_sampling_rate_hertz", kGauge, "Samples per second and busy CPU.", kKindLabel},
    {"pyebpf_prof_bpf_map_entries", kGauge, "Entries in use of a table in the kernel.", kMap},
    {"pyebpf_prof_bpf_map_max_entries", kGauge, "Size of a table in the kernel in entries.", kMap},
    {"pyebpf_prof_bpf_map_bytes", kGauge, "Memory of a table in the kernel.", kMap},
    {"pyebpf_prof_ring_fill_ratio", kGauge,
     "Highest fill of a ring buffer since the last update, 0 to 1.", kRing},
    {"pyebpf_prof_events_lost_total", kCounter, "Process events that the kernel could not deliver.",
     kType},
    {"pyebpf_prof_queue_depth", kGauge, "Values that wait in a queue.", kQueue},
    {"pyebpf_prof_queue_capacity", kGauge, "Values that fit in a queue.", kQueue},
    {"pyebpf_prof_queue_dropped_total", kCounter, "Values that did not fit in a queue.", kQueue},
    {"pyebpf_prof_debug_files_total", kCounter, "Debug files that servers were asked for.",
     kResult},
    {"pyebpf_prof_late_stacks_total",
     kCounter,
     "Stacks that were unwound to their end in userspace, as the kernel had no tables for them "
     "yet.",
     {}},
    {"pyebpf_prof_series", kGauge, "Series of a metric that has a limit.", kMetricLabel},
    {"pyebpf_prof_series_limit_hits_total", kCounter,
     "Times that a value was added to __other__ because a metric was at its limit.", kMetricLabel},
    {"pyebpf_prof_processes", kGauge, "Processes that are looked at.", kLang},
    {"pyebpf_prof_process_status", kGauge,
     "Processes by how well their stacks can be told, as of the last window that sampled them.",
     kStatus},
    {"pyebpf_prof_frames_total", kCounter, "Stack frames unwound in the kernel.", kKindLabel},
    {"pyebpf_prof_snapshots_total", kCounter, "Snapshots over the control socket.", kResult},
    {"pyebpf_prof_build_info", kGauge, "Always 1; the labels tell what runs.", kBuild},
    {"pyebpf_prof_config_last_reload_successful",
     kGauge,
     "1 if the last load of the configuration succeeded.",
     {}},
    {"pyebpf_prof_config_last_reload_success_timestamp_seconds",
     kGauge,
     "When the configuration was last loaded.",
     {}},
    {"pyebpf_prof_heartbeat_timestamp_seconds",
     kGauge,
     "When these numbers were collected; an old value means that the profiler is stuck.",
     {}},
    {"process_cpu_seconds_total", kCounter, "CPU time of the profiler itself.", {}},
    {"process_resident_memory_bytes", kGauge, "Resident memory of the profiler itself.", {}},
    {"process_open_fds", kGauge, "Open file descriptors of the profiler itself.", {}},
    {"process_max_fds", kGauge, "Limit of open file descriptors of the profiler itself.", {}},
    {"process_start_time_seconds", kGauge, "When the profiler started, since the epoch.", {}},
}};

}  // namespace

const MetricInfo& info_of(Metric metric) {
  return kCatalogue[static_cast<std::size_t>(metric)];
}

}  // namespace pyprof::server
