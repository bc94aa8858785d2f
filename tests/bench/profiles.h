// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "userspace/engine/engine.h"

// What the benchmark asks of a profile and of an engine's counters.
namespace pyprof::bench {

// Per sample, of a whole profile.
struct StackShape {
  double python_frames = 0;
  double native_frames = 0;   // of C code, the interpreter's own included; and kernel frames
  double rooted_percent = 0;  // outermost Python frame is the module, nothing was cut
  uint64_t samples = 0;
};

[[nodiscard]] StackShape stack_shape(const model::Profile& profile);

// Of one label; 0 if there is none of that name.
[[nodiscard]] uint64_t outcome(const engine::EngineStatus& status, const std::string& label);

// Ticks that became a sample, whole or as a repetition.
[[nodiscard]] uint64_t sampled(const engine::EngineStatus& status);

[[nodiscard]] uint64_t map_bytes(const engine::EngineStatus& status);

[[nodiscard]] Result<model::Profile> take_profile(engine::Engine& engine, std::vector<int32_t> pids,
                                                  uint32_t rate_hz, uint32_t milliseconds);

}  // namespace pyprof::bench
