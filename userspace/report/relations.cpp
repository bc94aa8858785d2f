// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/relations.h"

#include <algorithm>
#include <map>

#include "userspace/aggregate/call_graph.h"
#include "userspace/aggregate/call_tree.h"
#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/package.h"

namespace pyprof::report {
namespace {

using aggregate::CallGraph;
using aggregate::CallTree;

// A share of the profile; of counts where no sample has a weight.
double share(uint64_t samples, uint64_t weight_ns, const aggregate::Summary& summary) {
  if (summary.weight_ns > 0) return aggregate::percent(weight_ns, summary.weight_ns);
  return aggregate::percent(samples, summary.samples);
}

class TreeWriter {
 public:
  TreeWriter(const CallTree& tree, const aggregate::Summary& summary, double least,
             std::size_t limit)
      : tree_(tree), summary_(summary), least_(least), limit_(limit) {}

  std::vector<TreeRow> run() && {
    std::vector<Pending> pending;
    push_callees(0, 0, pending);
    while (!pending.empty() && rows_.size() < limit_) {
      const Pending next = pending.back();
      pending.pop_back();
      const uint32_t last = write(next);
      push_callees(last, next.depth + 1, pending);
    }
    return std::move(rows_);
  }

 private:
  struct Pending {
    uint32_t node = 0;
    std::size_t depth = 0;
  };

  [[nodiscard]] double total(uint32_t node) const {
    return share(tree_.nodes()[node].total_count, tree_.nodes()[node].total_weight_ns, summary_);
  }
  [[nodiscard]] double self(uint32_t node) const {
    return share(tree_.nodes()[node].self_count, tree_.nodes()[node].self_weight_ns, summary_);
  }

  // Lightest first.
  [[nodiscard]] std::vector<uint32_t> shown_callees(uint32_t node) const {
    std::vector<uint32_t> shown;
    for (const uint32_t callee : tree_.children(node))
      if (total(callee) >= least_) shown.push_back(callee);
    std::reverse(shown.begin(), shown.end());
    std::stable_sort(shown.begin(), shown.end(),
                     [this](uint32_t a, uint32_t b) { return total(a) < total(b); });
    return shown;
  }

  void push_callees(uint32_t node, std::size_t depth, std::vector<Pending>& pending) const {
    for (const uint32_t callee : shown_callees(node))
      pending.push_back({callee, depth});
  }

  // Returns the last node that is on the line.
  uint32_t write(const Pending& next) {
    uint32_t node = next.node;
    TreeRow row{next.depth, total(node), 0, 0, tree_.name(tree_.nodes()[node]).text};
    auto callees = shown_callees(node);
    while (callees.size() == 1 && tree_.children(node).size() == 1 &&
           tree_.nodes()[node].self_count == 0) {
      node = callees.front();
      row.text += " > " + tree_.name(tree_.nodes()[node]).text;
      callees = shown_callees(node);
    }
    row.self = self(node);
    row.hidden = tree_.children(node).size() - callees.size();
    rows_.push_back(std::move(row));
    return node;
  }

  const CallTree& tree_;
  const aggregate::Summary& summary_;
  const double least_;
  const std::size_t limit_;
  std::vector<TreeRow> rows_;
};

template <typename Row, typename Value>
void keep_heaviest(std::vector<Row>& rows, std::size_t limit, Value value) {
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const Row& a, const Row& b) { return value(a) > value(b); });
  if (rows.size() > limit) rows.resize(limit);
}

}  // namespace

std::vector<TreeRow> call_tree_rows(const model::Profile& profile,
                                    const aggregate::Summary& summary, double least,
                                    std::size_t limit, bool full_paths) {
  aggregate::TreeOptions options;
  options.text.full_paths = full_paths;
  return TreeWriter(CallTree(profile, options), summary, least, limit).run();
}

std::vector<EdgeRow> edge_rows(const model::Profile& profile, const aggregate::Summary& summary,
                               std::size_t limit, bool full_paths) {
  const CallGraph graph(profile);
  const auto text = [&](uint32_t function, uint32_t line) {
    model::Frame frame = profile.frames[graph.functions()[function].frame];
    frame.line = line != 0 ? line : frame.first_line;
    return aggregate::frame_text(profile, frame, {aggregate::LineMode::kCurrent, full_paths});
  };
  std::vector<EdgeRow> rows;
  for (const auto& [call, cost] : graph.calls()) {
    if (call.caller == call.callee) continue;  // recursion
    rows.push_back({share(cost.total.samples, cost.total.weight_ns, summary),
                    share(cost.self.samples, cost.self.weight_ns, summary),
                    text(call.caller, call.line), text(call.callee, 0)});
  }
  keep_heaviest(rows, limit, [](const EdgeRow& row) { return row.total; });
  return rows;
}

std::vector<PackageRow> package_rows(const model::Profile& profile,
                                     const aggregate::Summary& summary, std::size_t limit) {
  std::map<std::string, aggregate::Cost> costs;
  for (const model::Sample& sample : profile.samples) {
    const auto& frames = profile.stacks[sample.stack].frames;
    const auto named = std::find_if(frames.begin(), frames.end(), [&](uint32_t frame) {
      return profile.frames[frame].kind != model::FrameKind::kMarker;
    });
    if (named == frames.end()) continue;
    costs[aggregate::package_text(profile, profile.frames[*named])].add(
        {sample.count, sample.weight_ns});
  }
  std::vector<PackageRow> rows;
  for (const auto& [package, cost] : costs)
    rows.push_back({share(cost.samples, cost.weight_ns, summary), package});
  keep_heaviest(rows, limit, [](const PackageRow& row) { return row.self; });
  return rows;
}

}  // namespace pyprof::report
