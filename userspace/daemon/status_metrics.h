// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "userspace/daemon/control.h"
#include "userspace/daemon/window_loop.h"
#include "userspace/engine/engine.h"
#include "userspace/server/metrics.h"

// What the daemon knows, as the metrics of the catalogue.
namespace pyprof::daemon {

struct ReloadState {
  bool successful = true;  // of the last load of the configuration
  int64_t success_unix_ns = 0;
};

struct DaemonStatus {
  engine::EngineStatus engine;
  WindowSums windows;
  SnapshotCounts snapshots;
  ReloadState reload;
  int64_t now_unix_ns = 0;
};

// Every metric of the catalogue. Labels with a closed set of values are all there, also at 0.
[[nodiscard]] server::MetricsSnapshot to_metrics(const DaemonStatus& status);

}  // namespace pyprof::daemon
