// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/process_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "userspace/aggregate/summary.h"

namespace pyprof::aggregate {
namespace {

using model::FrameKind;
using model::Status;

constexpr std::string_view kCut = "[truncated: ";
constexpr std::size_t kWhole = model::kFlaws;
constexpr std::size_t kFlawsShown = 3;

std::size_t flaw_of_label(std::string_view label) {
  std::size_t flaw = 0;
  while (flaw + 1 < model::kFlaws && model::flaw_label(flaw) != label)
    ++flaw;
  return flaw;  // the last one is "other"
}

// What keeps a stack from being whole; kWhole = nothing. A native half that was cut is no flaw
// where the Python half tells the thread's root.
std::size_t find_flaw(const model::Profile& profile, const model::Stack& stack) {
  std::size_t cut = kWhole, python_cut = kWhole;
  bool python = false, unnamed = false;
  for (const uint32_t index : stack.frames) {
    const model::Frame& frame = profile.frames[index];
    python |= frame.kind == FrameKind::kPython;
    unnamed |= frame.kind == FrameKind::kPython && frame.function.empty();
    if (frame.kind != FrameKind::kMarker) continue;
    std::string_view label = frame.function;
    if (!label.starts_with(kCut) || !label.ends_with(']')) return model::kFlaws - 1;
    label.remove_prefix(kCut.size());
    label.remove_suffix(1);
    (label.starts_with("python") ? python_cut : cut) = flaw_of_label(label);
  }
  if (python_cut != kWhole) return python_cut;
  if (unnamed) return flaw_of_label(model::kFlawUnnamed);
  return python ? kWhole : cut;
}

std::string percent_text(uint64_t part, uint64_t whole) {
  // Never up to a round 100: that would hide what is missing.
  return fmt::format("{:.1f} %", part < whole ? std::min(percent(part, whole), 99.9) : 100.0);
}

std::vector<std::pair<std::string_view, uint64_t>> by_count(const model::Coverage& coverage) {
  std::vector<std::pair<std::string_view, uint64_t>> flaws(coverage.flaws.begin(),
                                                           coverage.flaws.end());
  std::stable_sort(flaws.begin(), flaws.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return flaws;
}

std::string partial_text(const model::Coverage& coverage) {
  std::string text = fmt::format("partial ({}", percent_text(coverage.whole, coverage.samples));
  const auto flaws = by_count(coverage);
  for (std::size_t i = 0; i < std::min(flaws.size(), kFlawsShown); ++i) {
    text += fmt::format("{}{} {}", i == 0 ? ": " : ", ",
                        percent_text(flaws[i].second, coverage.samples), flaws[i].first);
  }
  return text + (flaws.size() > kFlawsShown ? ", ...)" : ")");
}

}  // namespace

void measure_coverage(model::Profile& profile) {
  std::vector<std::size_t> flaws;
  flaws.reserve(profile.stacks.size());
  for (const model::Stack& stack : profile.stacks)
    flaws.push_back(find_flaw(profile, stack));
  for (model::ProcessInfo& process : profile.processes)
    process.coverage = {};
  for (const model::Sample& sample : profile.samples) {
    const uint32_t process = profile.threads[sample.thread].process;
    model::Coverage& coverage = profile.processes[process].coverage;
    coverage.samples += sample.count;
    const std::size_t flaw = flaws[sample.stack];
    if (flaw == kWhole) {
      coverage.whole += sample.count;
    } else {
      coverage.flaws[std::string(model::flaw_label(flaw))] += sample.count;
    }
  }
}

bool runs_python(const model::ProcessInfo& process) {
  return process.python_version != 0 || process.python.reason != model::Unsupported::kNone;
}

Verdict judge(const model::ProcessInfo& process) {
  if (process.python.reason != model::Unsupported::kNone) {
    return {Status::kUnsupported, to_label(process.python.reason)};
  }
  const model::Coverage& coverage = process.coverage;
  if (coverage.samples == 0) return {Status::kOk, kUnsampled};
  if (percent(coverage.whole, coverage.samples) >= kOkPercent) return {Status::kOk, ""};
  const auto flaws = by_count(coverage);
  const std::size_t flaw = flaws.empty() ? model::kFlaws - 1 : flaw_of_label(flaws.front().first);
  return {Status::kPartial, model::flaw_label(flaw)};
}

namespace {

std::string text_of_one(const model::ProcessInfo& process) {
  const Verdict verdict = judge(process);
  switch (verdict.status) {
    case Status::kUnsupported:
      return fmt::format("unsupported: {} ({})", verdict.reason, process.python.detail);
    case Status::kPartial:
      return partial_text(process.coverage);
    case Status::kOk:
      break;
  }
  return verdict.reason == kUnsampled ? "ok (no samples yet)" : "ok";
}

}  // namespace

std::string status_text(const model::ProcessInfo& process) {
  const std::string text = text_of_one(process);
  return process.python.others.empty() ? text : text + "; " + process.python.others;
}

std::string status_text(const model::Profile& profile) {
  if (profile.processes.size() == 1) return status_text(profile.processes.front());
  std::array<uint64_t, model::kStatuses> counts{};
  for (const model::ProcessInfo& process : profile.processes)
    ++counts[static_cast<std::size_t>(judge(process).status)];
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", counts[i],
                        to_label(static_cast<Status>(i)));
  }
  return text.empty() ? "no process" : text;
}

void StatusCounts::add(const model::ProcessInfo& process) {
  const Verdict verdict = judge(process);
  if (verdict.status == Status::kUnsupported) {
    ++unsupported_[static_cast<std::size_t>(process.python.reason)];
    return;
  }
  const std::size_t row = verdict.status == Status::kPartial ? 2 + flaw_of_label(verdict.reason)
                          : verdict.reason.empty()           ? 0
                                                             : 1;
  ++readable_[runs_python(process) ? 0 : 1][row];
}

std::array<StatusCounts::Row, StatusCounts::kRows> StatusCounts::rows() const {
  std::array<Row, kRows> rows;
  std::size_t next = 0;
  for (std::size_t lang = 0; lang < readable_.size(); ++lang) {
    const std::string_view name = lang == 0 ? "python" : "native";
    for (std::size_t i = 0; i < readable_[lang].size(); ++i) {
      const Status status = i < 2 ? Status::kOk : Status::kPartial;
      const std::string_view reason = i == 0 ? "" : i == 1 ? kUnsampled : model::flaw_label(i - 2);
      rows[next++] = {name, to_label(status), reason, readable_[lang][i]};
    }
  }
  for (std::size_t i = 1; i < unsupported_.size(); ++i) {
    rows[next++] = {"python", to_label(Status::kUnsupported),
                    to_label(static_cast<model::Unsupported>(i)), unsupported_[i]};
  }
  return rows;
}

}  // namespace pyprof::aggregate
