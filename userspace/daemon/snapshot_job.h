// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/daemon/render.h"
#include "userspace/engine/engine.h"

namespace pyprof::daemon {

struct SnapshotJob {
  std::vector<int32_t> pids;     // empty = every process
  bool follow_children = false;  // of the pids; not by a daemon, which samples everything anyway
  uint64_t duration_ns = 0;
  uint32_t rate_hz = 99;
  RenderRequest render;
};

struct SnapshotResult {
  std::vector<std::string> outputs;  // one per format
  std::string message;               // for stderr: a line per remark, the closing line last
};

// Samples and renders; waits in the calling thread. `cancelled` ends the sampling early with what
// there is. kNoSamples if that is nothing, with a likely reason.
[[nodiscard]] Result<SnapshotResult> run_snapshot(engine::Engine& engine, const SnapshotJob& job,
                                                  const std::function<bool()>& cancelled);

}  // namespace pyprof::daemon
