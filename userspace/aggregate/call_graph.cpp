// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/call_graph.h"

#include <set>
#include <tuple>

namespace pyprof::aggregate {
namespace {

using Key = std::tuple<std::string, std::string, uint32_t, uint8_t, uint64_t>;

// Functions without a name are told apart by their address.
Key key_of(const model::Frame& frame) {
  const uint64_t address = frame.function.empty() ? frame.address : 0;
  return {frame.function, frame.file, frame.module, static_cast<uint8_t>(frame.kind), address};
}

}  // namespace

CallGraph::CallGraph(const model::Profile& profile) {
  number_functions(profile);
  for (const model::Sample& sample : profile.samples)
    add(profile, profile.stacks[sample.stack].frames, {sample.count, sample.weight_ns});
}

void CallGraph::number_functions(const model::Profile& profile) {
  std::map<Key, std::vector<uint32_t>> frames_by_key;
  for (uint32_t frame = 0; frame < profile.frames.size(); ++frame)
    frames_by_key[key_of(profile.frames[frame])].push_back(frame);
  function_of_.resize(profile.frames.size());
  for (const auto& [key, frames] : frames_by_key) {
    for (const uint32_t frame : frames)
      function_of_[frame] = static_cast<uint32_t>(functions_.size());
    functions_.push_back({frames.front(), {}, {}});
  }
}

void CallGraph::add(const model::Profile& profile, const std::vector<uint32_t>& frames,
                    const Cost& cost) {
  if (frames.empty()) return;
  const uint32_t leaf = function_of_[frames[0]];
  functions_[leaf].self.add(cost);
  lines_[{leaf, profile.frames[frames[0]].line}].add(cost);
  std::set<uint32_t> seen = {leaf};
  std::set<Call> called;
  functions_[leaf].total.add(cost);
  for (std::size_t i = 1; i < frames.size(); ++i) {
    const uint32_t caller = function_of_[frames[i]];
    if (seen.insert(caller).second) functions_[caller].total.add(cost);
    const Call call{caller, profile.frames[frames[i]].line, function_of_[frames[i - 1]]};
    CallCost& known = calls_[call];
    if (called.insert(call).second) known.total.add(cost);
    if (i == 1) known.self.add(cost);
  }
}

}  // namespace pyprof::aggregate
