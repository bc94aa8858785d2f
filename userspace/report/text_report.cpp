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
#include "userspace/report/hot_lines.h"
#include "userspace/report/hot_paths.h"
#include "userspace/report/relations.h"
#include "userspace/report/table.h"
#include "userspace/report/thread_table.h"
#include "userspace/report/tokens.h"

namespace pyprof::report {
namespace {

using aggregate::clean_text;
using aggregate::Summary;

// Every table three quarters as long, none shorter than three rows; then those
// left out that say least beside the others. False if nothing is left to shorten.
bool shorten(TextReportOptions& options) {
  constexpr std::size_t kLeast = 3;
  bool shorter = false;
  for (std::size_t* rows :
       {&options.functions, &options.paths, &options.threads, &options.tree_rows, &options.edges,
        &options.lines, &options.packages}) {
    if (*rows <= kLeast) continue;
    *rows = std::max(kLeast, *rows * 3 / 4);
    shorter = true;
  }
  if (shorter) return true;
  for (std::size_t* rows : {&options.paths, &options.tree_rows, &options.lines, &options.edges,
                            &options.packages, &options.threads}) {
    if (*rows == 0) continue;
    *rows = 0;
    return true;
  }
  return std::exchange(options.functions, std::min<std::size_t>(options.functions, 1)) > 1;
}

class Report {
 public:
  Report(const model::Profile& profile, const TextReportOptions& options)
      : profile_(profile), options_(options), summary_(aggregate::summarize(profile)) {
    for (const model::Sample& sample : profile.samples) {
      whole_ += aggregate::sample_value(sample, summary_);
    }
    threads_ = thread_rows(profile, summary_, options.full_paths);
    thread_ids_.resize(threads_.size());
    for (std::size_t i = 0; i < threads_.size(); ++i)
      thread_ids_[threads_[i].thread] = i + 1;
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
    write_tree();
    write_edges();
    write_lines();
    write_packages();
    write_findings(functions);
    append("\nsamples {}, {}\n", aggregate::with_thousands(summary_.samples),
           aggregate::quality_text(profile_));
    return std::move(out_);
  }

 private:
  template <typename... Args>
  void append(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
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
    append("\nclock: on-CPU   window: {}   rate: {}\n", window_text(), rate_text());
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

  // A profile from a file may know neither.
  [[nodiscard]] std::string window_text() const {
    if (profile_.duration_ns == 0) return "unknown";
    return fmt::format("{} +{:.1f} s", aggregate::utc_text(profile_.start_unix_ns),
                       aggregate::seconds(profile_.duration_ns));
  }
  [[nodiscard]] std::string rate_text() const {
    if (profile_.rate_hz == 0) return "unknown";
    if (profile_.event.empty()) return fmt::format("{} Hz/CPU", profile_.rate_hz);
    return fmt::format("{} Hz/CPU ({})", profile_.rate_hz, clean_text(profile_.event, 32));
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
    std::vector<ThreadRow> usages(profile_.processes.size());
    for (const ThreadRow& row : threads_) {
      ThreadRow& usage = usages[profile_.threads[row.thread].process];
      usage.samples += row.samples;
      usage.cpu_ns += row.cpu_ns;
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
      const ThreadRow& usage = usages[order[i]];
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

  void write_left_out(const char* heading) { append("\n## {}: left out\n", heading); }

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
    if (options_.threads == 0) return write_left_out("1 Threads");
    const bool several = profile_.processes.size() > 1;
    std::vector<Table::Column> columns = {{"id"},          {"tid", true},   {"cpu%", true},
                                          {"cpu_s", true}, {"cores", true}, {"samples", true},
                                          {"name"},        {"top function"}};
    if (several) columns.insert(columns.begin() + 1, {"pid", true});
    Table table(std::move(columns));
    for (std::size_t i = 0; i < std::min(threads_.size(), options_.threads); ++i) {
      const ThreadRow& usage = threads_[i];
      const model::Thread& thread = profile_.threads[usage.thread];
      std::vector<std::string> row = {fmt::format("T{}", i + 1),      std::to_string(thread.tid),
                                      cpu_percent(usage.cpu_ns),      seconds_text(usage.cpu_ns),
                                      cores_text(usage.cpu_ns),       std::to_string(usage.samples),
                                      aggregate::thread_name(thread), usage.top};
      const int32_t pid = profile_.processes[thread.process].pid;
      if (several) row.insert(row.begin() + 1, std::to_string(pid));
      table.add(std::move(row));
    }
    append("\n## 1 Threads (T)\n{}", table.text());
    write_rest(threads_.size(), "threads");
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
                 std::to_string(row.samples), row.name,
                 leaf_text(profile_, row.top_stack(), options_.full_paths)});
    }
    append("\n## Groups (G) by {}\n{}", aggregate::group_name(options_.by), table.text());
    write_rest(rows.size(), "groups");
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
    if (options_.paths == 0) return write_left_out("4 Hot paths");
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

  void write_tree() {
    if (options_.tree_rows == 0) return write_left_out("5 Call tree");
    const auto rows = call_tree_rows(profile_, summary_, options_.tree_percent, options_.tree_rows,
                                     options_.full_paths);
    append("\n## 5 Call tree - total%, self%; at least {:g} %, +n = callees below that\n",
           options_.tree_percent);
    for (const TreeRow& row : rows) {
      append("{:5.1f} {:5.1f}  {:{}}{}{}\n", row.total, row.self, "", 2 * row.depth, row.text,
             row.hidden > 0 ? fmt::format("  +{}", row.hidden) : "");
    }
  }

  void write_edges() {
    if (options_.edges == 0) return write_left_out("6 Calls");
    Table table({{"id"}, {"total%", true}, {"ends%", true}, {"caller -> callee"}});
    const auto rows = edge_rows(profile_, summary_, options_.edges, options_.full_paths);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      table.add({fmt::format("E{}", i + 1), fmt::format("{:.1f}", rows[i].total),
                 fmt::format("{:.1f}", rows[i].self), rows[i].caller + " -> " + rows[i].callee});
    }
    append("\n## 6 Calls (E) - top {}; total = on the stack, ends = of these, on top of it\n{}",
           options_.edges, table.empty() ? "none\n" : table.text());
  }

  void write_lines() {
    if (options_.lines == 0) return write_left_out("7 Hot lines");
    Table table({{"id"}, {"self%", true}, {"file:line"}, {"function"}, {"source"}});
    const auto rows = hot_lines(profile_, summary_, options_.lines, options_.full_paths);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      table.add({fmt::format("L{}", i + 1), fmt::format("{:.1f}", rows[i].self), rows[i].place,
                 rows[i].functions, rows[i].text.empty() ? "" : "| " + rows[i].text});
    }
    append("\n## 7 Hot lines (L) - by self time, top {}\n{}", options_.lines,
           table.empty() ? "none\n" : table.text());
  }

  void write_packages() {
    if (options_.packages == 0) return write_left_out("8 Self time by package");
    append("\n## 8 Self time by package\n");
    std::vector<std::string> parts;
    for (const PackageRow& row : package_rows(profile_, summary_, options_.packages))
      parts.push_back(fmt::format("{} {:.1f} %", row.package, row.self));
    append("{}\n", fmt::join(parts, ", "));
  }

  void write_findings(const FunctionTable& functions) {
    append("\n## 9 Findings (F) - by rules; what each could save at most\n");
    const auto rows = functions.by_total(options_.functions);
    for (std::size_t i = 0; i < options_.findings.size(); ++i) {
      const Finding& finding = options_.findings[i];
      append("F{} {} {} {:.1f} % +-{:.1f}: {}", i + 1, finding.severity, finding.rule,
             finding.percent, margin(finding.percent), finding.what);
      if (!finding.where.empty()) append("; at {}", finding.where);
      const auto row = std::find_if(rows.begin(), rows.end(), [&](const FunctionRow& each) {
        return each.name == finding.function && each.place == finding.place;
      });
      if (row != rows.end()) append(" (C{})", row - rows.begin() + 1);
      append("\n");
    }
    if (options_.findings.empty()) append("none\n");
  }

  const model::Profile& profile_;
  const TextReportOptions& options_;
  const Summary summary_;
  uint64_t whole_ = 0;              // sum of all sample values
  std::vector<ThreadRow> threads_;  // most CPU time first: T1, T2, ...
  std::vector<std::size_t> thread_ids_;
  std::string out_;
};

}  // namespace

std::string text_report(const model::Profile& profile, const TextReportOptions& options) {
  TextReportOptions fitted = options;
  std::string text = Report(profile, fitted).run();
  while (options.max_tokens != 0 && estimate_tokens(text) > options.max_tokens && shorten(fitted)) {
    text = Report(profile, fitted).run();
  }
  return text;
}

}  // namespace pyprof::report
