// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>

#include "userspace/engine/engine.h"

// An engine without a kernel: every snapshot is a profile of the same two stacks.
namespace pyprof::testing {

struct FakeEngine {
  static std::unique_ptr<engine::Engine> make();

  // Of the next snapshots: none of the samples.
  static std::atomic<bool> idle;
  static std::atomic<int> snapshots;
  static std::atomic<uint32_t> last_rate_hz;
  // What the engine says it knows of them.
  static std::vector<model::ProcessInfo> known_processes;
};

[[nodiscard]] model::Profile two_stacks();

}  // namespace pyprof::testing
