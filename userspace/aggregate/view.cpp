// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/view.h"

#include <map>
#include <tuple>
#include <utility>

namespace pyprof::aggregate {
namespace {

using model::FrameKind;

// One past the outermost Python frame; 0 = the stack has none.
std::size_t python_end(const model::Profile& profile, const model::Stack& stack) {
  for (std::size_t i = stack.frames.size(); i > 0; --i) {
    if (profile.frames[stack.frames[i - 1]].kind == FrameKind::kPython) return i;
  }
  return 0;
}

bool shows(FrameKind kind, bool outside_python, const ViewOptions& options) {
  if (kind == FrameKind::kMarker || kind == FrameKind::kPython) return true;
  if (options.python_only) return false;
  return !outside_python && kind != FrameKind::kInterpreter;
}

class Viewer {
 public:
  Viewer(const model::Profile& profile, const ViewOptions& options)
      : out_(profile), options_(options) {}

  model::Profile run() && {
    std::vector<model::Stack> stacks = std::exchange(out_.stacks, {});
    std::vector<uint32_t> renumbered;
    renumbered.reserve(stacks.size());
    for (const model::Stack& stack : stacks)
      renumbered.push_back(intern(shown(stack)));
    merge_samples(renumbered);
    return std::move(out_);
  }

 private:
  std::vector<uint32_t> shown(const model::Stack& stack) {
    const std::size_t end = python_end(out_, stack);
    const bool whole = options_.python_only ? false : options_.native || end == 0;
    if (whole) return stack.frames;
    std::vector<uint32_t> frames;
    if (end == 0) frames.push_back(no_python_frame());
    for (std::size_t i = 0; i < stack.frames.size(); ++i) {
      const FrameKind kind = out_.frames[stack.frames[i]].kind;
      if (shows(kind, i >= end, options_)) frames.push_back(stack.frames[i]);
    }
    return frames;
  }

  uint32_t no_python_frame() {
    if (marker_ == 0) {
      model::Frame frame;
      frame.kind = FrameKind::kMarker;
      frame.function = "[no Python frame]";
      out_.frames.push_back(std::move(frame));
      marker_ = out_.frames.size();
    }
    return static_cast<uint32_t>(marker_ - 1);
  }

  uint32_t intern(std::vector<uint32_t> frames) {
    const auto [it, is_new] = interned_.try_emplace(std::move(frames), out_.stacks.size());
    if (is_new) out_.stacks.push_back({it->first});
    return it->second;
  }

  void merge_samples(const std::vector<uint32_t>& renumbered) {
    std::map<std::tuple<uint32_t, uint32_t, uint32_t>, model::Sample> merged;
    for (const model::Sample& sample : out_.samples) {
      const uint32_t stack = renumbered[sample.stack];
      model::Sample& sum = merged[{sample.thread, stack, sample.labels}];
      sum.thread = sample.thread;
      sum.stack = stack;
      sum.labels = sample.labels;
      sum.count += sample.count;
      sum.weight_ns += sample.weight_ns;
    }
    out_.samples.clear();
    for (const auto& [key, sample] : merged)
      out_.samples.push_back(sample);
  }

  model::Profile out_;
  const ViewOptions& options_;
  std::map<std::vector<uint32_t>, uint32_t> interned_;
  std::size_t marker_ = 0;  // 1 + index of "[no Python frame]", 0 = not made yet
};

}  // namespace

model::Profile apply_view(const model::Profile& profile, const ViewOptions& options) {
  return Viewer(profile, options).run();
}

}  // namespace pyprof::aggregate
