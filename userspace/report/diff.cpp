// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/diff.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "userspace/aggregate/call_graph.h"
#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/package.h"
#include "userspace/aggregate/summary.h"

namespace pyprof::report {
namespace {

using aggregate::CallGraph;
using aggregate::Cost;
using Key = std::pair<std::string, std::string>;  // name and place of a row

constexpr double kNormal95 = 1.959964;

// The costs of one profile by the names of a table's rows.
struct Tables {
  std::map<Key, Cost> self, totals, lines, calls, packages;
};

class TableMaker {
 public:
  TableMaker(const model::Profile& profile, bool full_paths)
      : profile_(profile), graph_(profile), full_paths_(full_paths) {}

  Tables run() && {
    for (const auto& function : graph_.functions()) {
      const model::Frame& frame = profile_.frames[function.frame];
      tables_.self[key(frame, 0)].add(function.self);
      tables_.totals[key(frame, 0)].add(function.total);
      tables_.packages[{aggregate::package_text(profile_, frame), ""}].add(function.self);
    }
    for (const auto& [line, cost] : graph_.lines())
      if (line.line != 0) tables_.lines[key(frame_of(line.function), line.line)].add(cost);
    for (const auto& [call, cost] : graph_.calls())
      tables_.calls[key(call)].add(cost.total);
    tables_.packages.erase({"", ""});
    return std::move(tables_);
  }

 private:
  [[nodiscard]] const model::Frame& frame_of(uint32_t function) const {
    return profile_.frames[graph_.functions()[function].frame];
  }
  [[nodiscard]] Key key(const model::Frame& frame, uint32_t line) const {
    const bool marker = frame.kind == model::FrameKind::kMarker;
    return {marker ? aggregate::frame_text(profile_, frame) : aggregate::function_text(frame),
            aggregate::place_text(profile_, frame, line, full_paths_)};
  }
  [[nodiscard]] Key key(const CallGraph::Call& call) const {
    const Key caller = key(frame_of(call.caller), call.line);
    return {caller.first + " -> " + key(frame_of(call.callee), 0).first, caller.second};
  }

  const model::Profile& profile_;
  const CallGraph graph_;
  const bool full_paths_;
  Tables tables_;
};

struct Side {
  Tables tables;
  aggregate::Summary summary;
  double per_sample = 0;  // of the unit
  DiffUnit unit = DiffUnit::kWall;

  [[nodiscard]] double figure(const Cost& cost) const {
    const double samples = static_cast<double>(cost.samples);
    if (summary.weight_ns == 0 || summary.samples == 0) return samples * per_sample;
    const double mean_ns =
        static_cast<double>(summary.weight_ns) / static_cast<double>(summary.samples);
    return static_cast<double>(cost.weight_ns) / mean_ns * per_sample;
  }

  // Of a figure: samples are counted events, shares are drawn from all samples.
  [[nodiscard]] double deviation(const Cost& cost) const {
    const double all = static_cast<double>(summary.samples);
    const double samples = std::max(1.0, static_cast<double>(cost.samples));
    const double share = unit == DiffUnit::kCpu ? std::min(1.0, samples / all) : 0;
    return std::sqrt(samples * (1 - share)) * per_sample;
  }
};

// CPU-seconds that a sample stands for.
double sample_seconds(const aggregate::Summary& summary) {
  return aggregate::seconds(summary.weight_ns) / static_cast<double>(summary.samples);
}

Result<Side> make_side(const model::Profile& profile, const DiffOptions& options, double work) {
  Side side;
  side.summary = aggregate::summarize(profile);
  side.unit = options.unit;
  if (side.summary.samples == 0) return Error{"has no sample", ExitCode::kNoSamples};
  side.tables = TableMaker(profile, options.full_paths).run();
  if (options.unit == DiffUnit::kCpu) {
    side.per_sample = 100 / static_cast<double>(side.summary.samples);
    return side;
  }
  if (side.summary.weight_ns == 0) return Error{"knows no times, only counts: compare --per cpu"};
  double divisor = work;
  if (options.unit == DiffUnit::kWall) divisor = aggregate::seconds(profile.duration_ns);
  if (divisor <= 0) {
    return Error{"does not say how long it took: compare --per cpu, or by --work"};
  }
  side.per_sample = sample_seconds(side.summary) / divisor;
  return side;
}

Change change_of(const Side& before, const Side& after, const Cost& a, const Cost& b) {
  Change change;
  change.before = before.figure(a);
  change.after = after.figure(b);
  change.margin = kNormal95 * std::hypot(before.deviation(a), after.deviation(b));
  change.samples_before = a.samples;
  change.samples_after = b.samples;
  return change;
}

class Comparison {
 public:
  Comparison(const Side& before, const Side& after, std::size_t limit)
      : before_(before), after_(after), limit_(limit) {}

  [[nodiscard]] std::vector<DiffRow> rows(std::map<Key, Cost> Tables::*table) const {
    std::map<Key, std::array<Cost, 2>> joined;
    for (const auto& [key, cost] : before_.tables.*table)
      joined[key][0] = cost;
    for (const auto& [key, cost] : after_.tables.*table)
      joined[key][1] = cost;
    std::vector<DiffRow> rows;
    for (const auto& [key, costs] : joined) {
      if (costs[0].samples + costs[1].samples == 0) continue;
      rows.push_back({key.first, key.second, change_of(before_, after_, costs[0], costs[1])});
    }
    std::stable_sort(rows.begin(), rows.end(), [](const DiffRow& a, const DiffRow& b) {
      return std::abs(a.change.delta()) > std::abs(b.change.delta());
    });
    if (rows.size() > limit_) rows.resize(limit_);
    return rows;
  }

  void fill(Diff& diff) const {
    const Cost a{before_.summary.samples, before_.summary.weight_ns};
    const Cost b{after_.summary.samples, after_.summary.weight_ns};
    diff.total = change_of(before_, after_, a, b);
    diff.self = rows(&Tables::self);
    diff.totals = rows(&Tables::totals);
    diff.lines = rows(&Tables::lines);
    diff.calls = rows(&Tables::calls);
    diff.packages = rows(&Tables::packages);
    if (diff.unit == DiffUnit::kCpu) return;
    diff.ratio = diff.total.after / diff.total.before;
    const double spread = std::exp(kNormal95 * std::sqrt(1.0 / static_cast<double>(a.samples) +
                                                         1.0 / static_cast<double>(b.samples)));
    diff.ratio_low = diff.ratio / spread;
    diff.ratio_high = diff.ratio * spread;
  }

 private:
  const Side& before_;
  const Side& after_;
  const std::size_t limit_;
};

Error told(const char* which, const Error& error) {
  return Error{std::string("the profile ") + which + " " + error.message, error.code};
}

}  // namespace

Result<Diff> compare(const model::Profile& before, const model::Profile& after,
                     const DiffOptions& options) {
  const auto a = make_side(before, options, options.work_before);
  if (!a) return told("before", a.error());
  const auto b = make_side(after, options, options.work_after);
  if (!b) return told("after", b.error());
  Diff diff;
  diff.unit = options.unit;
  if (before.duration_ns > 0) {
    diff.cores_before =
        aggregate::seconds(a->summary.weight_ns) / aggregate::seconds(before.duration_ns);
  }
  Comparison(*a, *b, options.limit).fill(diff);
  return diff;
}

}  // namespace pyprof::report
