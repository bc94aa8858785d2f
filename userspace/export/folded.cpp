// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/folded.h"

#include <algorithm>
#include <vector>

#include "userspace/aggregate/call_tree.h"

namespace pyprof::exporter {
namespace {

using aggregate::CallNode;
using aggregate::CallTree;

class FoldedWriter {
 public:
  FoldedWriter(const CallTree& tree, std::size_t max_bytes) : tree_(tree), max_bytes_(max_bytes) {}

  std::string run() && {
    std::vector<uint32_t> pending = {0};
    while (!pending.empty()) {
      const uint32_t node = pending.back();
      pending.pop_back();
      enter(node);
      const auto children = tree_.children(node);
      pending.insert(pending.end(), children.rbegin(), children.rend());
    }
    if (left_out_ > 0) out_ += "[other] " + std::to_string(left_out_) + "\n";
    return std::move(out_);
  }

 private:
  // path_ holds the callers of a node; ends_[d] is where the frame of depth d + 1 ends in it.
  void enter(uint32_t index) {
    const CallNode& node = tree_.nodes()[index];
    if (node.depth == 0) return;
    ends_.resize(node.depth - 1);
    path_.resize(ends_.empty() ? 0 : ends_.back());
    if (!path_.empty()) path_.push_back(';');
    std::string text = tree_.name(node).text;
    std::replace(text.begin(), text.end(), ';', ':');
    path_ += text;
    ends_.push_back(path_.size());
    if (node.self_count > 0) write_line(node.self_count);
  }

  void write_line(uint64_t count) {
    const std::string number = std::to_string(count);
    if (out_.size() + path_.size() + number.size() + 2 > max_bytes_) {
      left_out_ += count;
      return;
    }
    out_.append(path_).append(" ").append(number).append("\n");
  }

  const CallTree& tree_;
  const std::size_t max_bytes_;
  std::string path_;
  std::vector<std::size_t> ends_;
  std::string out_;
  uint64_t left_out_ = 0;
};

}  // namespace

std::string to_folded(const model::Profile& profile, const FoldedOptions& options) {
  aggregate::TreeOptions tree_options;
  tree_options.text = options.text;
  tree_options.threads = options.threads;
  tree_options.by = options.by;
  const CallTree tree(profile, tree_options);
  return FoldedWriter(tree, options.max_bytes).run();
}

}  // namespace pyprof::exporter
