// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/labels.h"
#include "userspace/model/profile.h"

// A profile's stacks as one tree of frame texts, root first: what folded lines, flame graphs and
// hot paths are read from. Frames with the same text and kind under the same caller are one node.
namespace pyprof::aggregate {

struct TreeOptions {
  TextOptions text;
  bool threads = false;               // a node `thread NAME (TID)` above each thread's frames
  GroupBy by = GroupBy::kNone;        // a node group_text() above that one
  std::size_t max_nodes = 1'000'000;  // beyond: what is new ends in a node "[other]" of its caller
};

struct CallName {
  model::FrameKind kind = model::FrameKind::kMarker;
  std::string text;
};

struct CallNode {
  uint32_t name = 0;    // index into CallTree::names()
  uint32_t parent = 0;  // the root is its own
  uint32_t depth = 0;   // the root's is 0
  uint64_t self_count = 0;
  uint64_t self_weight_ns = 0;
  uint64_t total_count = 0;
  uint64_t total_weight_ns = 0;
};

class CallTree {
 public:
  // With several processes a node `process COMM (PID)` stands above each one's frames.
  CallTree(const model::Profile& profile, const TreeOptions& options);

  // nodes()[0] is the root "all"; a parent comes before its children.
  [[nodiscard]] const std::vector<CallNode>& nodes() const { return nodes_; }
  [[nodiscard]] const std::vector<CallName>& names() const { return names_; }
  [[nodiscard]] const CallName& name(const CallNode& node) const { return names_[node.name]; }
  [[nodiscard]] std::span<const uint32_t> children(uint32_t node) const;  // by text
  // The node where each of the profile's samples ends, in their order.
  [[nodiscard]] const std::vector<uint32_t>& sample_nodes() const { return sample_nodes_; }

 private:
  uint32_t intern(model::FrameKind kind, std::string text);
  uint32_t frame_name(const model::Profile& profile, uint32_t frame, const TextOptions& options);
  uint32_t descend(uint32_t parent, uint32_t name);
  uint32_t group_node(const model::Profile& profile, const model::Sample& sample,
                      const TreeOptions& options);
  uint32_t sample_node(const model::Profile& profile, const model::Sample& sample,
                       const TreeOptions& options);
  void sum_totals();
  void sort_children();

  const std::size_t max_nodes_;
  std::vector<CallNode> nodes_;
  std::vector<CallName> names_;
  std::vector<uint32_t> sample_nodes_;
  std::vector<uint32_t> child_list_;   // nodes but the root, by parent, then by text
  std::vector<uint32_t> child_first_;  // node -> where its children start in child_list_
  std::vector<uint32_t> frame_names_;  // frame -> 1 + name, 0 = not spelled yet
  std::unordered_map<std::string, uint32_t> name_indexes_;
  std::unordered_map<uint64_t, uint32_t> edges_;  // parent << 32 | name -> node
};

}  // namespace pyprof::aggregate
