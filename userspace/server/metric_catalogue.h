// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

// Every metric of the page: name, help, kind and label names. The only place that spells them; a
// new metric is one enumerator here and one line in metric_catalogue.cpp.
namespace pyprof::server {

enum class Metric : uint8_t {
  kSamples,
  kLostSamples,
  kFaults,
  kTruncatedSamples,
  kKernelTicks,
  kProcessCpu,
  kContainerCpu,
  kUnattributedCpu,
  kProcessSamples,
  kUnattributedSamples,
  kCpuGlitches,
  kSamplingRate,
  kBpfMapEntries,
  kBpfMapMaxEntries,
  kBpfMapBytes,
  kRingFill,
  kEventsLost,
  kQueueDepth,
  kQueueCapacity,
  kQueueDropped,
  kDebugFiles,
  kLateStacks,
  kSeries,
  kSeriesLimitHits,
  kProcesses,
  kProcessStatus,
  kFrames,
  kSnapshots,
  kBuildInfo,
  kConfigReloadSuccessful,
  kConfigReloadTime,
  kHeartbeat,
  kSelfCpu,
  kSelfResident,
  kSelfOpenFds,
  kSelfMaxFds,
  kSelfStartTime,
  kCount,
};
inline constexpr std::size_t kMetricCount = static_cast<std::size_t>(Metric::kCount);

enum class MetricKind : uint8_t { kCounter, kGauge };

struct MetricInfo {
  std::string_view name;
  MetricKind kind;
  std::string_view help;
  std::span<const std::string_view> labels;
};

[[nodiscard]] const MetricInfo& info_of(Metric metric);

}  // namespace pyprof::server
