// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/json_report.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/process_status.h"
#include "userspace/aggregate/summary.h"
#include "userspace/report/function_table.h"
#include "userspace/report/group_table.h"
#include "userspace/report/hot_lines.h"
#include "userspace/report/hot_paths.h"
#include "userspace/report/relations.h"
#include "userspace/report/thread_table.h"

namespace pyprof::report {
namespace {

using aggregate::clean_text;
using aggregate::seconds;
using Json = nlohmann::ordered_json;

class JsonReport {
 public:
  JsonReport(const model::Profile& profile, const TextReportOptions& options)
      : profile_(profile), options_(options), summary_(aggregate::summarize(profile)) {
    for (const model::Sample& sample : profile.samples)
      whole_ += aggregate::sample_value(sample, summary_);
  }

  [[nodiscard]] Json run() const {
    const FunctionTable functions(profile_, summary_, options_.full_paths);
    Json out;
    out["profile"] = head();
    out["quality"] = quality();
    out["processes"] = processes();
    if (options_.by != aggregate::GroupBy::kNone) out["groups"] = groups();
    out["threads"] = threads();
    out["self"] = functions_json('S', functions.by_self(options_.functions));
    out["total"] = functions_json('C', functions.by_total(options_.functions));
    out["paths"] = paths();
    out["tree"] = tree();
    out["calls"] = calls();
    out["lines"] = lines();
    out["packages"] = packages();
    out["findings"] = findings();
    return out;
  }

 private:
  [[nodiscard]] double percent(uint64_t value) const { return aggregate::percent(value, whole_); }
  [[nodiscard]] double share_s(uint64_t value) const {
    return percent(value) / 100 * seconds(summary_.cpu_ns());
  }
  static std::string id(char letter, std::size_t index) {
    return letter + std::to_string(index + 1);
  }

  [[nodiscard]] Json head() const {
    return {{"subject", aggregate::subject_text(profile_)},
            {"host", clean_text(profile_.host, 64)},
            {"tool", "pyebpf-prof " + clean_text(profile_.tool_version, 64)},
            {"start_unix_ns", profile_.start_unix_ns},
            {"duration_s", seconds(profile_.duration_ns)},
            {"rate_hz", profile_.rate_hz},
            {"event", clean_text(profile_.event, 32)},
            {"samples", summary_.samples},
            {"cpu_s_by_samples", seconds(summary_.weight_ns)},
            {"cpu_s_measured", seconds(summary_.measured_ns)},
            {"status", clean_text(aggregate::status_text(profile_), 160)}};
  }

  [[nodiscard]] Json quality() const {
    const model::Quality& quality = profile_.quality;
    Json faults = Json::object();
    for (const auto& [label, count] : quality.faults)
      faults[clean_text(label, 64)] = count;
    return {{"kernel_ticks", quality.kernel_ticks},
            {"lost", quality.lost},
            {"truncated_native", quality.truncated_native},
            {"truncated_python", quality.truncated_python},
            {"unnamed_native", quality.unnamed_native},
            {"unnamed_python", quality.unnamed_python},
            {"faults", faults}};
  }

  [[nodiscard]] Json processes() const {
    Json list = Json::array();
    for (const model::ProcessInfo& process : profile_.processes) {
      list.push_back({{"pid", process.pid},
                      {"comm", clean_text(process.comm, 128)},
                      {"container", clean_text(process.container.id, 128)},
                      {"unit", clean_text(process.container.unit, 128)},
                      {"python", clean_text(process.python_full_version, 32)},
                      {"status", clean_text(aggregate::status_text(process), 160)}});
    }
    return list;
  }

  [[nodiscard]] Json groups() const {
    Json list = Json::array();
    for (const GroupRow& row : group_rows(profile_, summary_, options_.by)) {
      list.push_back({{"id", id('G', list.size())},
                      {"name", row.name},
                      {"percent", percent(row.value)},
                      {"cpu_s", share_s(row.value)},
                      {"samples", row.samples}});
    }
    return list;
  }

  [[nodiscard]] Json threads() const {
    Json list = Json::array();
    for (const ThreadRow& row : thread_rows(profile_, summary_, options_.full_paths)) {
      if (list.size() >= options_.threads) break;
      const model::Thread& thread = profile_.threads[row.thread];
      list.push_back({{"id", id('T', list.size())},
                      {"pid", profile_.processes[thread.process].pid},
                      {"tid", thread.tid},
                      {"name", aggregate::thread_name(thread)},
                      {"percent", aggregate::percent(row.cpu_ns, summary_.cpu_ns())},
                      {"cpu_s", seconds(row.cpu_ns)},
                      {"samples", row.samples},
                      {"top_function", row.top}});
    }
    return list;
  }

  [[nodiscard]] Json functions_json(char letter, const std::vector<FunctionRow>& rows) const {
    Json list = Json::array();
    for (const FunctionRow& row : rows) {
      list.push_back({{"id", id(letter, list.size())},
                      {"function", row.name},
                      {"place", row.place},
                      {"hot_place", row.hot_place},
                      {"kind", aggregate::kind_text(row.kind)},
                      {"self_percent", percent(row.self_value)},
                      {"self_s", share_s(row.self_value)},
                      {"total_percent", percent(row.total_value)},
                      {"total_s", share_s(row.total_value)},
                      {"callers", row.callers}});
    }
    return list;
  }

  [[nodiscard]] Json paths() const {
    Json list = Json::array();
    for (const HotPath& path : hot_paths(profile_, summary_, options_.paths, options_.full_paths)) {
      list.push_back({{"id", id('P', list.size())},
                      {"percent", percent(path.value)},
                      {"threads", path.threads.size()},
                      {"frames", path.frames}});
    }
    return list;
  }

  [[nodiscard]] Json tree() const {
    Json list = Json::array();
    for (const TreeRow& row : call_tree_rows(profile_, summary_, options_.tree_percent,
                                             options_.tree_rows, options_.full_paths)) {
      list.push_back({{"depth", row.depth},
                      {"total_percent", row.total},
                      {"self_percent", row.self},
                      {"hidden_callees", row.hidden},
                      {"frames", row.text}});
    }
    return list;
  }

  [[nodiscard]] Json calls() const {
    Json list = Json::array();
    for (const EdgeRow& row : edge_rows(profile_, summary_, options_.edges, options_.full_paths)) {
      list.push_back({{"id", id('E', list.size())},
                      {"caller", row.caller},
                      {"callee", row.callee},
                      {"total_percent", row.total},
                      {"ends_percent", row.self}});
    }
    return list;
  }

  [[nodiscard]] Json lines() const {
    Json list = Json::array();
    for (const HotLine& row : hot_lines(profile_, summary_, options_.lines, options_.full_paths)) {
      list.push_back({{"id", id('L', list.size())},
                      {"self_percent", row.self},
                      {"place", row.place},
                      {"function", row.functions},
                      {"source", row.text}});
    }
    return list;
  }

  [[nodiscard]] Json packages() const {
    Json list = Json::array();
    for (const PackageRow& row : package_rows(profile_, summary_, options_.packages))
      list.push_back({{"package", row.package}, {"self_percent", row.self}});
    return list;
  }

  [[nodiscard]] Json findings() const {
    Json list = Json::array();
    for (const Finding& finding : options_.findings) {
      list.push_back({{"id", id('F', list.size())},
                      {"rule", finding.rule},
                      {"severity", finding.severity},
                      {"percent", finding.percent},
                      {"what", finding.what},
                      {"where", finding.where}});
    }
    return list;
  }

  const model::Profile& profile_;
  const TextReportOptions& options_;
  const aggregate::Summary summary_;
  uint64_t whole_ = 0;
};

std::string dump(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string cell_text(const Json& value) {
  if (!value.is_array()) return value.is_string() ? value.get<std::string>() : dump(value);
  std::string text;
  for (const Json& each : value)
    text += (text.empty() ? "" : " > ") + cell_text(each);
  return text;
}

// A spreadsheet takes what begins with one of these for a formula.
bool is_formula(const std::string& text) {
  return !text.empty() && std::string_view("=+-@").find(text.front()) != std::string_view::npos;
}

std::string cell(const Json& value) {
  std::string text = cell_text(value);
  if (value.is_number()) return text;
  if (is_formula(text)) text.insert(0, "'");
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2)
    text.insert(at, "\"");
  return "\"" + text + "\"";
}

template <typename Text>
std::string csv_line(const Json& row, Text text) {
  std::string line;
  const char* comma = "";
  for (const auto& [key, value] : row.items()) {
    line += comma + text(key, value);
    comma = ",";
  }
  return line + "\r\n";
}

std::string csv_lines(const Json& rows) {
  if (rows.empty()) return "";
  std::string out = csv_line(rows.front(), [](const std::string& key, const Json&) { return key; });
  for (const Json& row : rows)
    out += csv_line(row, [](const std::string&, const Json& value) { return cell(value); });
  return out;
}

}  // namespace

std::string json_report(const model::Profile& profile, const TextReportOptions& options) {
  return dump(JsonReport(profile, options).run(), 2) + "\n";
}

Result<std::string> csv_report(const model::Profile& profile, const TextReportOptions& options,
                               const std::string& table) {
  const auto& names = table_names();
  if (std::find(names.begin(), names.end(), table) == names.end()) {
    return Error{"no table '" + clean_text(table, 64) + "': see --table in the manual"};
  }
  const Json all = JsonReport(profile, options).run();
  return all.contains(table) ? csv_lines(all[table]) : "";
}

const std::vector<std::string>& table_names() {
  static const std::vector<std::string> names = {"processes", "groups",   "threads", "self",
                                                 "total",     "paths",    "tree",    "calls",
                                                 "lines",     "packages", "findings"};
  return names;
}

}  // namespace pyprof::report
