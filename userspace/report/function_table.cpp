// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/function_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/aggregate/frame_text.h"

namespace pyprof::report {
namespace {

using model::FrameKind;

constexpr std::size_t kShownCallers = 2;

// "forward block.py:346 (97 %), add x.py:8 (3 %)"
std::string callers_text(const std::map<std::string, uint64_t>& values, uint64_t whole) {
  std::vector<std::pair<uint64_t, std::string>> sorted;
  for (const auto& [caller, value] : values)
    sorted.emplace_back(value, caller);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  for (std::size_t i = 0; i < std::min(sorted.size(), kShownCallers); ++i) {
    const double share = aggregate::percent(sorted[i].first, whole);
    text += fmt::format("{}{} ({:.0f} %)", i > 0 ? ", " : "", sorted[i].second, share);
  }
  return text;
}

uint32_t hottest_line(const std::map<uint32_t, uint64_t>& lines) {
  const auto hottest = std::max_element(
      lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return hottest == lines.end() ? 0 : hottest->first;
}

}  // namespace

FunctionTable::FunctionTable(const model::Profile& profile, const aggregate::Summary& summary,
                             bool full_paths)
    : profile_(profile), full_paths_(full_paths) {
  number_functions();
  last_seen_.resize(functions_.size());
  for (std::size_t i = 0; i < profile.samples.size(); ++i) {
    const model::Sample& sample = profile.samples[i];
    const uint64_t value = aggregate::sample_value(sample, summary);
    for (const uint32_t frame : profile.stacks[sample.stack].frames) {
      const uint32_t index = function_of_frame_[frame];
      if (last_seen_[index] == i + 1) continue;
      last_seen_[index] = i + 1;
      functions_[index].total_value += value;
    }
    add_self(sample, value);
  }
}

void FunctionTable::number_functions() {
  for (uint32_t i = 0; i < profile_.frames.size(); ++i) {
    const model::Frame& frame = profile_.frames[i];
    // Functions of the same name in two files differ even where only the file's name is shown.
    std::string place = aggregate::place_text(profile_, frame, frame.first_line, true);
    Key key(frame.kind, aggregate::function_text(frame), std::move(place));
    const auto [it, is_new] = keys_.try_emplace(std::move(key), functions_.size());
    if (is_new) functions_.emplace_back().frame = i;
    // Frames from before a line was known have none.
    uint32_t& shown = functions_[it->second].frame;
    if (profile_.frames[shown].line == 0 && frame.line != 0) shown = i;
    function_of_frame_.push_back(it->second);
  }
}

void FunctionTable::add_self(const model::Sample& sample, uint64_t value) {
  const std::vector<uint32_t>& frames = profile_.stacks[sample.stack].frames;
  if (frames.empty()) return;
  const model::Frame& leaf = profile_.frames[frames.front()];
  Function& function = functions_[function_of_frame_[frames.front()]];
  function.self_value += value;
  if (leaf.line != 0 || leaf.kind == FrameKind::kPython) function.self_lines[leaf.line] += value;
  if (leaf.kind == FrameKind::kPython) return;
  for (const uint32_t index : frames) {
    const model::Frame& frame = profile_.frames[index];
    if (frame.kind != FrameKind::kPython) continue;
    const std::string place = aggregate::place_text(profile_, frame, frame.line, full_paths_);
    function.caller_values[aggregate::function_text(frame) + " " + place] += value;
    break;
  }
}

FunctionRow FunctionTable::row(const Key& key, const Function& function) const {
  const model::Frame& frame = profile_.frames[function.frame];
  FunctionRow row;
  row.kind = frame.kind;
  row.name = std::get<1>(key);
  row.place = aggregate::source_text(profile_, frame, frame.first_line, full_paths_);
  row.hot_place =
      aggregate::source_text(profile_, frame, hottest_line(function.self_lines), full_paths_);
  row.callers = callers_text(function.caller_values, function.self_value);
  row.self_value = function.self_value;
  row.total_value = function.total_value;
  return row;
}

std::vector<FunctionRow> FunctionTable::by_self(std::size_t limit) const {
  return top(limit, &Function::self_value);
}

std::vector<FunctionRow> FunctionTable::by_total(std::size_t limit) const {
  return top(limit, &Function::total_value);
}

std::vector<FunctionRow> FunctionTable::top(std::size_t limit, uint64_t Function::*value) const {
  std::vector<std::pair<uint64_t, const Key*>> sorted;
  for (const auto& [key, index] : keys_) {
    const uint64_t rank = functions_[index].*value;
    if (rank > 0) sorted.emplace_back(rank, &key);
  }
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first > b.first;
    const auto& [kind_a, name_a, place_a] = *a.second;
    const auto& [kind_b, name_b, place_b] = *b.second;
    return std::tie(name_a, place_a, kind_a) < std::tie(name_b, place_b, kind_b);
  });
  sorted.resize(std::min(sorted.size(), limit));
  std::vector<FunctionRow> rows;
  for (const auto& [rank, key] : sorted)
    rows.push_back(row(*key, functions_[keys_.at(*key)]));
  return rows;
}

}  // namespace pyprof::report
