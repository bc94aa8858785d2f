// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/status_metrics.h"

#include <gtest/gtest.h>

#include <set>

#include "userspace/probe/counter_labels.h"

namespace pyprof::daemon {
namespace {

using server::Metric;

double value(const server::MetricsSnapshot& metrics, Metric metric,
             const std::vector<std::string>& labels) {
  for (const auto& series : metrics.series_of(metric)) {
    if (series.label_values == labels) return series.value;
  }
  ADD_FAILURE() << "no such series of " << server::info_of(metric).name;
  return -1;
}

TEST(StatusMetricsTest, shows_every_closed_set_of_labels_before_anything_was_counted) {
  const auto metrics = to_metrics({});
  for (std::size_t i = 0; i < server::kMetricCount; ++i) {
    const auto metric = static_cast<Metric>(i);
    const std::string name(server::info_of(metric).name);
    if (name.find("_bpf_map_") != std::string::npos) continue;  // known once maps are loaded
    EXPECT_FALSE(metrics.series_of(metric).empty()) << name;
  }
  for (const auto& outcome : probe::outcome_labels())
    EXPECT_EQ(value(metrics, Metric::kKernelTicks, {std::string(outcome.label)}), 0);
  for (const auto& fault : probe::fault_labels().subspan(1))
    EXPECT_EQ(value(metrics, Metric::kFaults, {std::string(fault.label)}), 0);
}

TEST(StatusMetricsTest, never_gives_two_series_the_same_labels) {
  DaemonStatus status;
  account::Totals& cpu = status.engine.cpu;
  cpu.groups = {{{"web", "c1", "python"}, {1, 5}}, {{"web", "c1", "native"}, {2, 7}}};
  status.engine.faults = {{"native_fault", 3}, {"symbol_cache_full", 4}};
  const auto metrics = to_metrics(status);
  for (std::size_t i = 0; i < server::kMetricCount; ++i) {
    std::set<std::vector<std::string>> seen;
    for (const auto& series : metrics.series_of(static_cast<Metric>(i)))
      EXPECT_TRUE(seen.insert(series.label_values).second) << i;
  }
  EXPECT_EQ(value(metrics, Metric::kProcessSamples, {"web", "c1"}), 12);
  EXPECT_EQ(value(metrics, Metric::kFaults, {"native_fault"}), 3);
  EXPECT_EQ(value(metrics, Metric::kFaults, {"symbol_cache_full"}), 4);
}

TEST(StatusMetricsTest, keeps_sums_whole_over_the_limit) {
  DaemonStatus status;
  account::Totals& cpu = status.engine.cpu;
  cpu.groups = {{{"web", "", "python"}, {2'000'000'000, 5}}};
  cpu.other_groups = {500'000'000, 3};
  cpu.unattributed_process_ns[1] = 250'000'000;
  cpu.group_limit_hits = 9;
  status.engine.cpu_unattributed_ns = 125'000'000;
  const auto metrics = to_metrics(status);
  EXPECT_DOUBLE_EQ(value(metrics, Metric::kProcessCpu, {"web", "", "python"}), 2.0);
  EXPECT_DOUBLE_EQ(value(metrics, Metric::kProcessCpu, {"__other__", "", ""}), 0.5);
  EXPECT_DOUBLE_EQ(value(metrics, Metric::kUnattributedCpu, {"process", "kernel_thread"}), 0.25);
  EXPECT_DOUBLE_EQ(value(metrics, Metric::kUnattributedCpu, {"process", "over_limit"}), 0.125);
  EXPECT_EQ(value(metrics, Metric::kSeriesLimitHits, {"pyebpf_prof_process_cpu_seconds_total"}), 9);
}

TEST(StatusMetricsTest, counts_each_sample_once_by_completeness) {
  DaemonStatus status;
  status.windows.samples = 40;
  status.windows.truncated = 5;
  const auto metrics = to_metrics(status);
  EXPECT_EQ(value(metrics, Metric::kSamples, {"ok"}), 35);
  EXPECT_EQ(value(metrics, Metric::kSamples, {"truncated"}), 5);
}

TEST(StatusMetricsTest, adds_up_what_was_lost_by_place) {
  DaemonStatus status;
  status.engine.outcomes = {{"lost_tick", 2}, {"lost_stack", 3}, {"lost_program", 4}};
  status.engine.queue_dropped = 5;
  const auto metrics = to_metrics(status);
  EXPECT_EQ(value(metrics, Metric::kLostSamples, {"ring"}), 5);
  EXPECT_EQ(value(metrics, Metric::kLostSamples, {"kernel"}), 4);
  EXPECT_EQ(value(metrics, Metric::kLostSamples, {"queue"}), 5);
}

TEST(StatusMetricsTest, counts_processes_by_status) {
  DaemonStatus status;
  model::ProcessInfo process;
  process.python_version = 0x30c;
  process.coverage = {100, 97, {{"python_frame_fault", 2}, {"unnamed_python", 1}}};
  status.engine.statuses.add(process);
  process.python.reason = model::Unsupported::kVersion;
  status.engine.statuses.add(process);
  status.engine.statuses.add({});
  const auto metrics = to_metrics(status);
  const auto metric = Metric::kProcessStatus;
  EXPECT_EQ(value(metrics, metric, {"python", "partial", "python_frame_fault"}), 1);
  EXPECT_EQ(value(metrics, metric, {"python", "unsupported", "version"}), 1);
  EXPECT_EQ(value(metrics, metric, {"native", "ok", "unsampled"}), 1);
  EXPECT_EQ(value(metrics, metric, {"python", "ok", ""}), 0);
  double sum = 0;
  for (const auto& series : metrics.series_of(metric))
    sum += series.value;
  EXPECT_EQ(sum, 3);
}

TEST(StatusMetricsTest, names_the_event_that_is_really_used) {
  DaemonStatus status;
  status.engine.event = "cpu-clock";
  EXPECT_EQ(to_metrics(status).series_of(Metric::kBuildInfo).at(0).label_values.at(1), "cpu-clock");
}

}  // namespace
}  // namespace pyprof::daemon
