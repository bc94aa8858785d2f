// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/hot_lines.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "userspace/aggregate/call_graph.h"
#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/frame_text.h"

namespace pyprof::report {
namespace {

using aggregate::CallGraph;

constexpr std::size_t kMaxSourceBytes = 160;

struct Found {
  aggregate::Cost cost;
  uint32_t frame = 0;  // of one of the functions
  std::set<std::string> functions;
};

// By file and line.
std::map<std::pair<std::string, uint32_t>, Found> lines_of(const model::Profile& profile) {
  const CallGraph graph(profile);
  std::map<std::pair<std::string, uint32_t>, Found> lines;
  for (const auto& [line, cost] : graph.lines()) {
    const uint32_t frame = graph.functions()[line.function].frame;
    if (line.line == 0 || profile.frames[frame].file.empty()) continue;
    Found& found = lines[{profile.frames[frame].file, line.line}];
    found.cost.add(cost);
    found.frame = frame;
    found.functions.insert(aggregate::function_text(profile.frames[frame]));
  }
  return lines;
}

std::string joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::vector<HotLine> hot_lines(const model::Profile& profile, const aggregate::Summary& summary,
                               std::size_t limit, bool full_paths) {
  std::vector<HotLine> rows;
  for (const auto& [where, found] : lines_of(profile)) {
    const auto text = profile.source.find(where);
    const double self = summary.weight_ns > 0
                            ? aggregate::percent(found.cost.weight_ns, summary.weight_ns)
                            : aggregate::percent(found.cost.samples, summary.samples);
    rows.push_back(
        {self, where.first, where.second,
         aggregate::source_text(profile, profile.frames[found.frame], where.second, full_paths),
         joined(found.functions),
         text == profile.source.end() ? "" : aggregate::clean_text(text->second, kMaxSourceBytes)});
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const HotLine& a, const HotLine& b) { return a.self > b.self; });
  if (rows.size() > limit) rows.resize(limit);
  return rows;
}

}  // namespace pyprof::report
