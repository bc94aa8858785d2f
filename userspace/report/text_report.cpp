// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/text_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/process_status.h"
#include "userspace/aggregate/summary.h"
#include "userspace/report/function_table.h"
#include "userspace/report/group_table.h"
#include "userspace/report/hot_paths.h"
#include "userspace/report/table.h"

namespace pyprof::report {
namespace {

using aggregate::clean_text;
using aggregate::Summary;

// CPU of a thread or a process.
struct Usage {
  uint64_t samples = 0;
  uint64_t value = 0;  // aggregate::sample_value()
  uint64_t cpu_ns = 0;
  std::map<std::string, uint64_t> leaves;  // innermost named frame -> value
};

class Report {
 public:
  Report(const model::Profile& profile, const TextReportOptions& options)
      : profile_(profile), options_(options), summary_(aggregate::summarize(profile)) {
    for (const model::Sample& sample : profile.samples) {
      whole_ += aggregate::sample_value(sample, summary_);
    }
    measure_threads();
  }

  std::string run() && {
    write_header();
    if (profile_.processes.size() > 1) write_processes();
    if (options_.by != aggregate::GroupBy::kNone) write_groups();
    write_threads();
    const FunctionTable functions(profile_, summary_, options_.full_paths);
    write_functions("## 2 By self time (S)", 'S', functions.by_self(options_.functions));
    write_functions("## 3 By total time (C)", 'C', functions.by_total(options_.functions));
    write_paths();
    append("\nsamples {}, {}\n", aggregate::with_thousands(summary_.samples),
           aggregate::quality_text(profile_));
    return std::move(out_);
  }

 private:
  template <typename... Args>
  void append(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  // Threads by CPU time, most first; their order gives the ids T1, T2, ...
  void measure_threads() {
    threads_.resize(profile_.threads.size());
    for (const model::Sample& sample : profile_.samples) {
      Usage& usage = threads_[sample.thread];
      const uint64_t value = aggregate::sample_value(sample, summary_);
      usage.samples += sample.count;
      usage.value += value;
      usage.leaves[leaf_text(sample.stack)] += value;
    }
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      threads_[i].cpu_ns =
          summary_.measured_ns > 0 ? profile_.threads[i].cpu_ns : share_ns(threads_[i].value);
    }
    order_.resize(threads_.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [this](uint32_t a, uint32_t b) {
      return std::tie(threads_[a].cpu_ns, threads_[a].value) >
             std::tie(threads_[b].cpu_ns, threads_[b].value);
    });
    thread_ids_.resize(order_.size());
    for (std::size_t i = 0; i < order_.size(); ++i)
      thread_ids_[order_[i]] = i + 1;
  }

  // The Python function that ran, or that called what ran; else the innermost frame.
  [[nodiscard]] std::string leaf_text(uint32_t stack) const {
    const std::vector<uint32_t>& frames = profile_.stacks[stack].frames;
    if (frames.empty()) return "";
    aggregate::TextOptions text;
    text.full_paths = options_.full_paths;
    const auto python = std::find_if(frames.begin(), frames.end(), [this](uint32_t frame) {
      return profile_.frames[frame].kind == model::FrameKind::kPython;
    });
    const uint32_t shown = python != frames.end() ? *python : frames.front();
    return aggregate::frame_text(profile_, profile_.frames[shown], text);
  }

  [[nodiscard]] uint64_t share_ns(uint64_t value) const {
    const double share = aggregate::percent(value, whole_) / 100;
    return static_cast<uint64_t>(std::llround(share * static_cast<double>(summary_.cpu_ns())));
  }

  [[nodiscard]] std::string cores_text(uint64_t cpu_ns) const {
    if (profile_.duration_ns == 0) return "-";
    return fmt::format("{:.2f}", aggregate::percent(cpu_ns, profile_.duration_ns) / 100);
  }

  // Half the width of the 95 % interval of a share, in points.
  [[nodiscard]] double margin(double percent) const {
    if (summary_.samples == 0) return 0;
    const double p = percent / 100;
    return 196 * std::sqrt(p * (1 - p) / static_cast<double>(summary_.samples));
  }

  void write_header() {
    append("# CPU profile: {}", aggregate::subject_text(profile_));
    if (!profile_.host.empty()) append(" - host {}", clean_text(profile_.host, 64));
    if (profile_.processes.size() == 1) write_identity(profile_.processes.front());
    append("\nclock: on-CPU   window: {} +{:.1f} s   rate: {} Hz/CPU ({})\n",
           aggregate::utc_text(profile_.start_unix_ns), aggregate::seconds(profile_.duration_ns),
           profile_.rate_hz, clean_text(profile_.event, 32));
    append("samples: {} ({:.2f} CPU-s", aggregate::with_thousands(summary_.samples),
           aggregate::seconds(summary_.weight_ns));
    if (summary_.measured_ns > 0) {
      append(" by samples, {:.2f} CPU-s measured by the scheduler",
             aggregate::seconds(summary_.measured_ns));
    }
    append(", {} cores)\n", cores_text(summary_.cpu_ns()));
    append(
        "quality: {}; status: {}; a row of p % has +-1.96*sqrt(p(1-p)/n): 5 % is +-{:.1f} points\n",
        aggregate::quality_text(profile_), clean_text(aggregate::status_text(profile_), 160),
        margin(5));
    write_faults();
    append(
        "columns: self = the function itself on top of the stack; total = anywhere on it "
        "(recursion "
        "counts once); % of the CPU time of {}; +- = 95 % interval in points\n",
        profile_.processes.size() > 1 ? "all processes shown" : "the process");
  }

  void write_identity(const model::ProcessInfo& process) {
    if (!process.container.id.empty()) {
      append(", container {}", clean_text(std::string_view(process.container.id).substr(0, 12)));
    }
    if (!process.container.unit.empty()) append(", {}", clean_text(process.container.unit, 64));
    if (!process.python_full_version.empty()) {
      append(", CPython {}", clean_text(process.python_full_version, 32));
    }
  }

  void write_faults() {
    if (profile_.quality.faults.empty()) return;
    std::vector<std::string> faults;
    for (const auto& [label, count] : profile_.quality.faults) {
      faults.push_back(
          fmt::format("{} {}", clean_text(label, 64), aggregate::with_thousands(count)));
    }
    append("faults: {}\n", fmt::join(faults, ", "));
  }

  void write_processes() {
    std::vector<Usage> usages(profile_.processes.size());
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      Usage& usage = usages[profile_.threads[i].process];
      usage.samples += threads_[i].samples;
      usage.cpu_ns += threads_[i].cpu_ns;
    }
    std::vector<uint32_t> order(usages.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return usages[a].cpu_ns > usages[b].cpu_ns; });
    Table table({{"id"},
                 {"pid", true},
                 {"cpu%", true},
                 {"cpu_s", true},
                 {"cores", true},
                 {"samples", true},
                 {"python"},
                 {"container"},
                 {"name"},
                 {"status"}});
    for (std::size_t i = 0; i < std::min(order.size(), options_.threads); ++i) {
      const model::ProcessInfo& process = profile_.processes[order[i]];
      const Usage& usage = usages[order[i]];
      const std::string version = clean_text(process.python_full_version, 32);
      const std::string container =
          clean_text(std::string_view(process.container.id).substr(0, 12));
      table.add({fmt::format("R{}", i + 1), std::to_string(process.pid), cpu_percent(usage.cpu_ns),
                 seconds_text(usage.cpu_ns), cores_text(usage.cpu_ns),
                 std::to_string(usage.samples), version.empty() ? "-" : version,
                 container.empty() ? "-" : container, clean_text(process.comm, 128),
                 clean_text(aggregate::status_text(process), 160)});
    }
    append("\n## 0 Processes (R)\n{}", table.text());
    write_rest(order.size(), "processes");
  }

  void write_rest(std::size_t count, const char* what) {
    if (count > options_.threads) append("... and {} more {}\n", count - options_.threads, what);
  }

  [[nodiscard]] std::string cpu_percent(uint64_t cpu_ns) const {
    return fmt::format("{:.1f}", aggregate::percent(cpu_ns, summary_.cpu_ns()));
  }

  static std::string seconds_text(uint64_t ns) {
    return fmt::format("{:.2f}", aggregate::seconds(ns));
  }

  void write_threads() {
    const bool several = profile_.processes.size() > 1;
    std::vector<Table::Column> columns = {{"id"},          {"tid", true},   {"cpu%", true},
                                          {"cpu_s", true}, {"cores", true}, {"samples", true},
                                          {"name"},        {"top function"}};
    if (several) columns.insert(columns.begin() + 1, {"pid", true});
    Table table(std::move(columns));
    for (std::size_t i = 0; i < std::min(order_.size(), options_.threads); ++i) {
      const model::Thread& thread = profile_.threads[order_[i]];
      const Usage& usage = threads_[order_[i]];
      std::vector<std::string> row = {fmt::format("T{}", i + 1),      std::to_string(thread.tid),
                                      cpu_percent(usage.cpu_ns),      seconds_text(usage.cpu_ns),
                                      cores_text(usage.cpu_ns),       std::to_string(usage.samples),
                                      aggregate::thread_name(thread), top_leaf(usage)};
      const int32_t pid = profile_.processes[thread.process].pid;
      if (several) row.insert(row.begin() + 1, std::to_string(pid));
      table.add(std::move(row));
    }
    append("\n## 1 Threads (T)\n{}", table.text());
    write_rest(order_.size(), "threads");
  }

  void write_groups() {
    const std::vector<GroupRow> rows = group_rows(profile_, summary_, options_.by);
    Table table({{"id"},
                 {"cpu%", true},
                 {"cpu_s", true},
                 {"+-", true},
                 {"samples", true},
                 {aggregate::group_name(options_.by)},
                 {"top function"}});
    for (std::size_t i = 0; i < std::min(rows.size(), options_.threads); ++i) {
      const GroupRow& row = rows[i];
      const double share = aggregate::percent(row.value, whole_);
      table.add({fmt::format("G{}", i + 1), fmt::format("{:.1f}", share),
                 seconds_text(share_ns(row.value)), fmt::format("{:.1f}", margin(share)),
                 std::to_string(row.samples), row.name, leaf_text(row.top_stack())});
    }
    append("\n## Groups (G) by {}\n{}", aggregate::group_name(options_.by), table.text());
    write_rest(rows.size(), "groups");
  }

  static std::string top_leaf(const Usage& usage) {
    const auto top =
        std::max_element(usage.leaves.begin(), usage.leaves.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return top == usage.leaves.end() ? "-" : top->first;
  }

  void write_functions(const char* heading, char id, const std::vector<FunctionRow>& rows) {
    Table table({{"id"},
                 {"self%", true},
                 {"self_s", true},
                 {"total%", true},
                 {"total_s", true},
                 {"+-", true},
                 {"kind"},
                 {"file:line"},
                 {"function"}});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const FunctionRow& row = rows[i];
      const bool by_self = id == 'S';
      const double self = aggregate::percent(row.self_value, whole_);
      const double total = aggregate::percent(row.total_value, whole_);
      std::string name = row.name;
      if (by_self && !row.callers.empty()) name += "  <- " + row.callers;
      const std::string& place = by_self ? row.hot_place : row.place;
      table.add({fmt::format("{}{}", id, i + 1), fmt::format("{:.1f}", self),
                 seconds_text(share_ns(row.self_value)), fmt::format("{:.1f}", total),
                 seconds_text(share_ns(row.total_value)),
                 fmt::format("{:.1f}", margin(by_self ? self : total)),
                 aggregate::kind_text(row.kind), place.empty() ? "-" : place, name});
    }
    append("\n{} - top {}\n{}", heading, options_.functions, table.text());
  }

  void write_paths() {
    const std::vector<HotPath> paths =
        hot_paths(profile_, summary_, options_.paths, options_.full_paths);
    const std::vector<std::string> texts = hot_path_texts(paths);
    append("\n## 4 Hot paths (P) - the heaviest distinct stacks, outermost frame first, top {}\n",
           options_.paths);
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const HotPath& path = paths[i];
      const std::string others =
          path.threads.size() > 1 ? fmt::format(" +{}", path.threads.size() - 1) : "";
      append("P{:<3} {:5.1f} % [T{}{}] {}\n", i + 1, aggregate::percent(path.value, whole_),
             thread_ids_[path.threads.front()], others, texts[i]);
    }
  }

  const model::Profile& profile_;
  const TextReportOptions& options_;
  const Summary summary_;
  uint64_t whole_ = 0;          // sum of all sample values
  std::vector<Usage> threads_;  // as Profile::threads
  std::vector<uint32_t> order_;
  std::vector<std::size_t> thread_ids_;
  std::string out_;
};

}  // namespace

std::string text_report(const model::Profile& profile, const TextReportOptions& options) {
  return Report(profile, options).run();
}

}  // namespace pyprof::report
