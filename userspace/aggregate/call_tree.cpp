// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/call_tree.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace pyprof::aggregate {

using model::FrameKind;

CallTree::CallTree(const model::Profile& profile, const TreeOptions& options)
    : max_nodes_(options.max_nodes), frame_names_(profile.frames.size()) {
  nodes_.emplace_back().name = intern(FrameKind::kMarker, "all");
  sample_nodes_.reserve(profile.samples.size());
  for (const model::Sample& sample : profile.samples) {
    const uint32_t index = sample_node(profile, sample, options);
    nodes_[index].self_count += sample.count;
    nodes_[index].self_weight_ns += sample.weight_ns;
    sample_nodes_.push_back(index);
  }
  sum_totals();
  sort_children();
  name_indexes_.clear();
  edges_.clear();
}

std::span<const uint32_t> CallTree::children(uint32_t node) const {
  return std::span(child_list_)
      .subspan(child_first_[node], child_first_[node + 1] - child_first_[node]);
}

uint32_t CallTree::intern(FrameKind kind, std::string text) {
  std::string key = text;
  key.push_back(static_cast<char>(kind));
  const auto [it, is_new] = name_indexes_.try_emplace(std::move(key), names_.size());
  if (is_new) names_.push_back({kind, std::move(text)});
  return it->second;
}

uint32_t CallTree::frame_name(const model::Profile& profile, uint32_t frame,
                              const TextOptions& options) {
  uint32_t& known = frame_names_[frame];
  if (known == 0) {
    const model::Frame& spelled = profile.frames[frame];
    known = 1 + intern(spelled.kind, frame_text(profile, spelled, options));
  }
  return known - 1;
}

// A node "[other]" may still be made when the tree is full: at most one per node.
uint32_t CallTree::descend(uint32_t parent, uint32_t name) {
  const auto found = edges_.find(static_cast<uint64_t>(parent) << 32 | name);
  if (found != edges_.end()) return found->second;
  const auto index = static_cast<uint32_t>(nodes_.size());
  edges_.emplace(static_cast<uint64_t>(parent) << 32 | name, index);
  CallNode node;
  node.name = name;
  node.parent = parent;
  node.depth = nodes_[parent].depth + 1;
  nodes_.push_back(node);
  return index;
}

uint32_t CallTree::group_node(const model::Profile& profile, const model::Sample& sample,
                              const TreeOptions& options) {
  const model::Thread& owner = profile.threads[sample.thread];
  uint32_t node = 0;
  if (profile.processes.size() > 1) {
    const std::string text = process_text(profile.processes[owner.process]);
    node = descend(node, intern(FrameKind::kMarker, text));
  }
  const bool by_thread = options.threads || options.by == GroupBy::kThread;
  if (options.by != GroupBy::kNone && options.by != GroupBy::kThread) {
    node = descend(node, intern(FrameKind::kMarker, group_text(profile, sample, options.by)));
  }
  if (by_thread) node = descend(node, intern(FrameKind::kMarker, thread_text(owner)));
  return node;
}

uint32_t CallTree::sample_node(const model::Profile& profile, const model::Sample& sample,
                               const TreeOptions& options) {
  uint32_t node = group_node(profile, sample, options);
  const std::vector<uint32_t>& frames = profile.stacks[sample.stack].frames;
  if (frames.empty()) return descend(node, intern(FrameKind::kMarker, "[no frames]"));
  for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
    const uint32_t name = frame_name(profile, *frame, options.text);
    const bool known = edges_.count(static_cast<uint64_t>(node) << 32 | name) > 0;
    if (!known && nodes_.size() >= max_nodes_) {
      return descend(node, intern(FrameKind::kMarker, "[other]"));
    }
    node = descend(node, name);
  }
  return node;
}

void CallTree::sum_totals() {
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    CallNode& node = nodes_[i];
    node.total_count += node.self_count;
    node.total_weight_ns += node.self_weight_ns;
    if (i == 0) break;
    nodes_[node.parent].total_count += node.total_count;
    nodes_[node.parent].total_weight_ns += node.total_weight_ns;
  }
}

void CallTree::sort_children() {
  child_list_.resize(nodes_.size() - 1);
  std::iota(child_list_.begin(), child_list_.end(), 1);
  std::sort(child_list_.begin(), child_list_.end(), [this](uint32_t a, uint32_t b) {
    if (nodes_[a].parent != nodes_[b].parent) return nodes_[a].parent < nodes_[b].parent;
    const CallName& name_a = names_[nodes_[a].name];
    const CallName& name_b = names_[nodes_[b].name];
    return std::tie(name_a.text, name_a.kind) < std::tie(name_b.text, name_b.kind);
  });
  child_first_.assign(nodes_.size() + 1, 0);
  for (std::size_t i = 1; i < nodes_.size(); ++i)
    ++child_first_[nodes_[i].parent + 1];
  std::partial_sum(child_first_.begin(), child_first_.end(), child_first_.begin());
}

}  // namespace pyprof::aggregate
