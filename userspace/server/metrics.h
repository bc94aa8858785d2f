// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/server/metric_catalogue.h"

// What /metrics shows. The daemon fills a snapshot at its own pace and publishes it; a scrape only
// prints the last one, so that scraping never reads the kernel's tables and costs O(series).
namespace pyprof::server {

struct Series {
  std::vector<std::string> label_values;  // in the order of MetricInfo::labels, sanitised
  double value = 0;
};

// Plain values, filled by one thread.
class MetricsSnapshot {
 public:
  // Adds one series. Label values may come from profiled processes: they are made safe here. A
  // series beyond the page's limit is left out and counted in omitted().
  // The caller does not add two series with the same labels.
  void add(Metric metric, std::initializer_list<std::string_view> label_values, double value);

  // Nanoseconds shown as seconds.
  void add_ns(Metric metric, std::initializer_list<std::string_view> label_values, uint64_t ns);

  // process_*: the profiler's own CPU, memory and file descriptors, from /proc/self.
  void add_self();

  [[nodiscard]] const std::vector<Series>& series_of(Metric metric) const;
  [[nodiscard]] std::size_t omitted() const { return omitted_; }

 private:
  std::array<std::vector<Series>, kMetricCount> series_;
  std::size_t count_ = 0;
  std::size_t omitted_ = 0;
};

// At most 128 bytes of valid UTF-8 without control characters; what is not becomes U+FFFD.
[[nodiscard]] std::string sanitise_label(std::string_view value);

// Prometheus text format 0.0.4.
[[nodiscard]] std::string to_text(const MetricsSnapshot& snapshot);

// Where the daemon leaves a snapshot and the HTTP thread finds it. Any thread.
class MetricsPage {
 public:
  void publish(MetricsSnapshot snapshot);

  // The page of the last snapshot; empty before the first.
  [[nodiscard]] std::string text() const;

 private:
  mutable std::mutex mutex_;
  // Shared: a scrape keeps printing its snapshot while the next one is published.
  std::shared_ptr<const MetricsSnapshot> latest_;
};

}  // namespace pyprof::server
