// SPDX-License-Identifier: Apache-2.0
#include "userspace/server/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "userspace/base/clock.h"
#include "userspace/base/text.h"

namespace pyprof::server {
namespace {

// Output of a shell command, standard error included, and its exit status.
std::pair<std::string, int> run(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::string output;
  std::array<char, 4096> chunk{};
  while (const std::size_t got = ::fread(chunk.data(), 1, chunk.size(), pipe)) {
    output.append(chunk.data(), got);
  }
  return {output, ::pclose(pipe)};
}

// One series of every metric, with the given text in every label.
MetricsSnapshot full_snapshot(std::string_view label) {
  MetricsSnapshot snapshot;
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    const auto metric = static_cast<Metric>(i);
    switch (info_of(metric).labels.size()) {
      case 0:
        snapshot.add(metric, {}, 1);
        break;
      case 1:
        snapshot.add(metric, {label}, 1);
        break;
      case 2:
        snapshot.add(metric, {label, label}, 1);
        break;
      case 3:
        snapshot.add(metric, {label, label, label}, 1);
        break;
      default:
        snapshot.add(metric, {label, label, label, label}, 1);
    }
  }
  return snapshot;
}

void expect_promtool_is_silent(const std::string& page) {
  std::string path = testing::TempDir() + "metrics_test_XXXXXX";
  const int fd = ::mkstemp(path.data());
  ASSERT_GE(fd, 0);
  ::close(fd);
  std::ofstream(path) << page;
  const auto [output, status] = run("promtool check metrics < '" + path + "'");
  std::filesystem::remove(path);
  EXPECT_EQ(output, "");
  EXPECT_EQ(status, 0);
}

bool has_promtool() {
  return run("command -v promtool").second == 0;
}

TEST(MetricCatalogueTest, names_are_unique_and_every_metric_has_help) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    const MetricInfo& info = info_of(static_cast<Metric>(i));
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.help.empty()) << info.name;
    EXPECT_EQ(info.name.ends_with("_total"), info.kind == MetricKind::kCounter) << info.name;
    for (const std::string_view label : info.labels)
      EXPECT_NE(label, "pid") << info.name;
  }
}

TEST(MetricsTest, page_of_every_metric_passes_promtool) {
  if (!has_promtool()) GTEST_SKIP() << "promtool is not installed: page not checked";
  expect_promtool_is_silent(to_text(full_snapshot("value")));
}

TEST(MetricsTest, hostile_label_values_cannot_forge_lines_or_break_the_page) {
  const std::string hostile =
      "a\"b\\c\nfake_metric_total 666\n# TYPE x counter\x1b[31m\xff\xc0\xaf\x7f\xc2\x9b{}=, "
      "\xe2\x82";
  const std::string page = to_text(full_snapshot(hostile));
  EXPECT_EQ(page.find("\nfake_metric"), std::string::npos);
  for (const char byte : {'\x1b', '\xff', '\x7f'})
    EXPECT_EQ(page.find(byte), std::string::npos);
  if (!has_promtool()) GTEST_SKIP() << "promtool is not installed: page not checked";
  expect_promtool_is_silent(page);
}

TEST(MetricsTest, sanitised_labels_are_short_valid_utf8) {
  EXPECT_EQ(sanitise_label("worker.py"), "worker.py");
  EXPECT_EQ(sanitise_label("a\nb"),
            "a\xef\xbf\xbd"
            "b");
  for (std::size_t lead = 0; lead < 8; ++lead) {
    std::string label(lead, 'x');
    for (int i = 0; i < 100; ++i)
      label += "\xf0\x9f\x90\x8d";
    const std::string safe = sanitise_label(label);
    EXPECT_LE(safe.size(), 128u);
    EXPECT_GE(safe.size(), 125u);
    std::string_view rest = safe;
    while (!rest.empty()) {
      const std::size_t length = utf8_length(rest);
      ASSERT_GT(length, 0u);
      rest.remove_prefix(length);
    }
  }
}

TEST(MetricsTest, values_keep_their_digits) {
  MetricsSnapshot snapshot;
  snapshot.add_ns(Metric::kProcessCpu, {"g", "", "python"}, 8'640'000'123'456'789);
  snapshot.add(Metric::kKernelTicks, {"tick"}, 9007199254740991.0);
  const std::string page = to_text(snapshot);
  const std::string series =
      "pyebpf_prof_process_cpu_seconds_total{group=\"g\",container=\"\",lang=\"python\"} ";
  const std::size_t at = page.find(series);
  ASSERT_NE(at, std::string::npos) << page;
  EXPECT_NEAR(std::stod(page.substr(at + series.size())), 8640000.123456789, 1e-8);
  EXPECT_NE(page.find("9007199254740991"), std::string::npos) << page;
}

TEST(MetricsTest, page_has_a_limit_and_tells_what_it_left_out) {
  MetricsSnapshot snapshot;
  for (int i = 0; i < 25'000; ++i)
    snapshot.add(Metric::kFaults, {std::to_string(i)}, i);
  EXPECT_EQ(snapshot.omitted(), 5'000u);
  EXPECT_LT(to_text(snapshot).size(), 2u << 20);
}

TEST(MetricsTest, own_process_is_described) {
  MetricsSnapshot snapshot;
  snapshot.add_self();
  const double now_seconds = static_cast<double>(realtime_ns()) / 1e9;
  const double start = snapshot.series_of(Metric::kSelfStartTime).at(0).value;
  EXPECT_LE(start, now_seconds + 1);
  EXPECT_GE(start, now_seconds - 600);
  EXPECT_GT(snapshot.series_of(Metric::kSelfResident).at(0).value, 1e6);
  EXPECT_GE(snapshot.series_of(Metric::kSelfCpu).at(0).value, 0);
  const double fds = snapshot.series_of(Metric::kSelfOpenFds).at(0).value;
  const int extra = ::dup(0);
  MetricsSnapshot later;
  later.add_self();
  EXPECT_EQ(later.series_of(Metric::kSelfOpenFds).at(0).value, fds + 1);
  ::close(extra);
}

TEST(MetricsPageTest, scrapes_see_whole_snapshots_while_they_are_replaced) {
  MetricsPage page;
  EXPECT_EQ(page.text(), "");
  std::atomic<bool> done{false};
  std::thread publisher([&] {
    for (int i = 0; i < 300; ++i) {
      MetricsSnapshot snapshot;
      for (int n = 0; n < 20; ++n)
        snapshot.add(Metric::kFaults, {std::to_string(n)}, i);
      page.publish(std::move(snapshot));
    }
    done = true;
  });
  while (!done) {
    std::istringstream lines(page.text());
    std::set<std::string> values;
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with('#')) values.insert(line.substr(line.rfind(' ')));
    }
    EXPECT_LE(values.size(), 1u);
  }
  publisher.join();
}

}  // namespace
}  // namespace pyprof::server
