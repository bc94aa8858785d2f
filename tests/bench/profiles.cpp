// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/profiles.h"

#include <algorithm>

namespace pyprof::bench {

namespace {

struct Counts {
  uint64_t python = 0;
  uint64_t native = 0;
  bool rooted = false;
};

Counts count_frames(const model::Profile& profile, const model::Stack& stack) {
  Counts counts;
  bool cut = false;
  const model::Frame* outermost = nullptr;
  for (const uint32_t index : stack.frames) {
    const auto& frame = profile.frames[index];
    if (frame.kind == model::FrameKind::kMarker) {
      cut = true;
    } else if (frame.kind == model::FrameKind::kPython) {
      ++counts.python;
      outermost = &frame;
    } else {
      ++counts.native;
    }
  }
  counts.rooted = !cut && (!outermost || outermost->function == "<module>");
  return counts;
}

}  // namespace

StackShape stack_shape(const model::Profile& profile) {
  uint64_t python = 0, native = 0, rooted = 0, samples = 0;
  for (const auto& sample : profile.samples) {
    const auto counts = count_frames(profile, profile.stacks[sample.stack]);
    python += counts.python * sample.count;
    native += counts.native * sample.count;
    rooted += counts.rooted ? sample.count : 0;
    samples += sample.count;
  }
  const double n = static_cast<double>(std::max<uint64_t>(1, samples));
  return {static_cast<double>(python) / n, static_cast<double>(native) / n,
          100.0 * static_cast<double>(rooted) / n, samples};
}

uint64_t outcome(const engine::EngineStatus& status, const std::string& label) {
  for (const auto& [name, count] : status.outcomes) {
    if (name == label) return count;
  }
  return 0;
}

uint64_t sampled(const engine::EngineStatus& status) {
  return outcome(status, "tick") + outcome(status, "stack");
}

uint64_t map_bytes(const engine::EngineStatus& status) {
  uint64_t bytes = 0;
  for (const auto& map : status.maps)
    bytes += map.bytes;
  return bytes;
}

Result<model::Profile> take_profile(engine::Engine& engine, std::vector<int32_t> pids,
                                    uint32_t rate_hz, uint32_t milliseconds) {
  engine::SnapshotRequest request;
  request.pids = std::move(pids);
  request.rate_hz = rate_hz;
  request.duration_ns = uint64_t{milliseconds} * 1'000'000;
  return engine.snapshot(request, [] { return false; });
}

}  // namespace pyprof::bench
