// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "userspace/account/accountant.h"
#include "userspace/probe/loader.h"

namespace pyprof::engine {

// Drains the kernel's CPU-time tables once a second, and at the ends of windows, into the
// accountant. Owns the accountant's thread safety.
class CpuMeter {
 public:
  // Delivered samples by process since the last call.
  using TakeCounts = std::function<std::unordered_map<model::ProcessId, uint64_t>()>;

  CpuMeter(probe::Probe& probe, account::Resolver& resolver,
           const account::AccountantLimits& limits, TakeCounts take_counts);
  ~CpuMeter();
  CpuMeter(const CpuMeter&) = delete;
  CpuMeter& operator=(const CpuMeter&) = delete;

  // 0 = too many windows are open.
  uint64_t open_window(const std::vector<int32_t>& pids);
  account::WindowCpu close_window(uint64_t id);
  account::Totals totals();

 private:
  void run();
  void drain();

  probe::Probe& probe_;
  TakeCounts take_counts_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  account::Accountant accountant_;
  uint64_t last_drain_ns_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace pyprof::engine
