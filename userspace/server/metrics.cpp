// SPDX-License-Identifier: Apache-2.0
#include "userspace/server/metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>

#include <cassert>
#include <utility>

#include "userspace/base/text.h"

namespace pyprof::server {
namespace {

constexpr std::size_t kMaxSeries = 20'000;
constexpr std::size_t kMaxLabelBytes = 128;
constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

prometheus::ClientMetric to_client_metric(const MetricInfo& info, const Series& series) {
  prometheus::ClientMetric metric;
  metric.label.reserve(info.labels.size());
  for (std::size_t i = 0; i < info.labels.size(); ++i) {
    metric.label.push_back({std::string(info.labels[i]), series.label_values[i]});
  }
  if (info.kind == MetricKind::kCounter) {
    metric.counter.value = series.value;
  } else {
    metric.gauge.value = series.value;
  }
  return metric;
}

// A snapshot in the library's terms. Its registry is not used: it cannot set a counter to a value.
class SnapshotCollectable final : public prometheus::Collectable {
 public:
  explicit SnapshotCollectable(const MetricsSnapshot& snapshot) : snapshot_(snapshot) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> families;
    for (std::size_t i = 0; i < kMetricCount; ++i) {
      const auto& all = snapshot_.series_of(static_cast<Metric>(i));
      if (all.empty()) continue;
      const MetricInfo& info = info_of(static_cast<Metric>(i));
      prometheus::MetricFamily family;
      family.name = info.name;
      family.help = info.help;
      family.type = info.kind == MetricKind::kCounter ? prometheus::MetricType::Counter
                                                      : prometheus::MetricType::Gauge;
      family.metric.reserve(all.size());
      for (const Series& series : all)
        family.metric.push_back(to_client_metric(info, series));
      families.push_back(std::move(family));
    }
    return families;
  }

 private:
  const MetricsSnapshot& snapshot_;
};

}  // namespace

void MetricsSnapshot::add(Metric metric, std::initializer_list<std::string_view> label_values,
                          double value) {
  assert(label_values.size() == info_of(metric).labels.size());
  if (count_ >= kMaxSeries) {
    ++omitted_;
    return;
  }
  Series series;
  series.label_values.reserve(label_values.size());
  for (const std::string_view each : label_values) {
    series.label_values.push_back(sanitise_label(each));
  }
  series.label_values.resize(info_of(metric).labels.size());
  series.value = value;
  series_[static_cast<std::size_t>(metric)].push_back(std::move(series));
  ++count_;
}

void MetricsSnapshot::add_ns(Metric metric, std::initializer_list<std::string_view> label_values,
                             uint64_t ns) {
  add(metric, label_values, static_cast<double>(ns) / 1e9);
}

const std::vector<Series>& MetricsSnapshot::series_of(Metric metric) const {
  return series_[static_cast<std::size_t>(metric)];
}

std::string sanitise_label(std::string_view value) {
  std::string out;
  while (!value.empty()) {
    const std::size_t length = utf8_length(value);
    const bool keep = length != 0 && !is_control(value, length);
    const std::string_view shown = keep ? value.substr(0, length) : kReplacement;
    if (out.size() + shown.size() > kMaxLabelBytes) break;
    out += shown;
    value.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string to_text(const MetricsSnapshot& snapshot) {
  return prometheus::TextSerializer().Serialize(SnapshotCollectable(snapshot).Collect());
}

void MetricsPage::publish(MetricsSnapshot snapshot) {
  auto next = std::make_shared<const MetricsSnapshot>(std::move(snapshot));
  const std::lock_guard lock(mutex_);
  latest_.swap(next);
}

std::string MetricsPage::text() const {
  std::shared_ptr<const MetricsSnapshot> snapshot;
  {
    const std::lock_guard lock(mutex_);
    snapshot = latest_;
  }
  return snapshot ? to_text(*snapshot) : std::string();
}

}  // namespace pyprof::server
