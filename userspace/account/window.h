// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "userspace/account/resolver.h"

// CPU time by thread inside the windows that are open now: a snapshot, or the daemon's own profile.
namespace pyprof::account {

struct ThreadCpu {
  model::ProcessId process = 0;
  int32_t pid = 0;
  int32_t tid = 0;
  uint64_t ns = 0;
  std::string comm;  // the latest
};

struct WindowCpu {
  std::vector<ThreadCpu> threads;  // ordered by pid, tid
  uint64_t total_ns = 0;           // of all threads, those over the limit included
  uint64_t over_limit_ns = 0;      // of threads that had no place
};

// One thread. A delta counts in every open window that wants its process.
class WindowTotals {
 public:
  using Id = uint64_t;

  explicit WindowTotals(std::size_t max_threads = 65'536, std::size_t max_windows = 16)
      : max_threads_(max_threads), max_windows_(max_windows) {}

  // `pids` empty = every process. Nothing = too many windows are open.
  [[nodiscard]] std::optional<Id> open(std::set<int32_t> pids);

  void add(const CpuDelta& delta);

  // The window's totals; it does not exist any more. Empty for an unknown id.
  [[nodiscard]] WindowCpu close(Id id);

 private:
  using ThreadKey = std::pair<int32_t, int32_t>;  // pid, tid
  struct Window {
    std::set<int32_t> pids;
    std::map<ThreadKey, ThreadCpu> threads;
    uint64_t total_ns = 0;
    uint64_t over_limit_ns = 0;
  };

  void add_to(Window& window, const CpuDelta& delta) const;

  const std::size_t max_threads_;  // per window
  const std::size_t max_windows_;
  std::map<Id, Window> windows_;
  Id next_id_ = 1;
};

}  // namespace pyprof::account
