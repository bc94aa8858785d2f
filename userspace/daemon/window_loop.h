// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "userspace/config/config.h"
#include "userspace/engine/engine.h"

// The daemon's own profile of all processes, one window after the other, of which only sums are
// kept: what of the stacks was cut is known only once they are named. CPU time and samples by
// process group are counted in account/, without windows.
namespace pyprof::daemon {

// Since the start; counters only grow.
struct WindowSums {
  uint64_t samples = 0;
  uint64_t truncated = 0;  // samples, in either part
  uint64_t truncated_native = 0;
  uint64_t truncated_python = 0;
};

// Runs from construction to destruction on a thread of its own; the destructor ends the current
// window early. stop() does that with the sums still there to read.
class WindowLoop {
 public:
  WindowLoop(engine::Engine& engine, const config::Config& config);
  ~WindowLoop() { stop(); }
  WindowLoop(const WindowLoop&) = delete;
  WindowLoop& operator=(const WindowLoop&) = delete;

  // From the next window on. Any thread.
  void reconfigure(const config::Config& config);

  // The current window ends and is added. Once; then only sums().
  void stop();

  [[nodiscard]] WindowSums sums() const;  // any thread

 private:
  void run();
  void pause() const;
  void add(const model::Profile& profile);

  engine::Engine& engine_;
  std::atomic<uint32_t> rate_hz_;
  std::atomic<uint32_t> window_seconds_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;  // guards sums_
  WindowSums sums_;
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace pyprof::daemon
