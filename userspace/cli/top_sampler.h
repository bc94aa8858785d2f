// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "userspace/aggregate/profile_sum.h"
#include "userspace/base/fd.h"
#include "userspace/cli/top_source.h"
#include "userspace/model/profile.h"

namespace pyprof::cli {

// Takes one window of samples after the other on a thread of its own, whoever looks or not.
class TopSampler {
 public:
  // `pids` empty = every process.
  TopSampler(TopSource source, std::vector<int32_t> pids, uint32_t refresh_ms);
  ~TopSampler();
  TopSampler(const TopSampler&) = delete;
  TopSampler& operator=(const TopSampler&) = delete;

  // From the next window on.
  void set_refresh(uint32_t refresh_ms) { refresh_ms_ = refresh_ms; }
  // The windows that ended since the last call, oldest first; of many only the last ones.
  [[nodiscard]] std::vector<model::Profile> take();
  // All windows since the start or restart().
  [[nodiscard]] model::Profile sum() const;
  void restart();
  // Why there will be no more windows: an error, or the processes have ended.
  [[nodiscard]] std::optional<std::string> ended() const;
  // Readable once there is something new; reset by take().
  [[nodiscard]] int fd() const { return wake_.get(); }

 private:
  void run();
  bool end(std::string why);
  bool any_left() const;

  TopSource source_;
  const std::vector<int32_t> pids_;
  std::atomic<uint32_t> refresh_ms_;
  std::atomic<bool> stopping_{false};
  Fd wake_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<model::Profile> fresh_;
  std::unique_ptr<aggregate::ProfileSum> sum_;
  std::optional<std::string> ended_;
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace pyprof::cli
