// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/cli/options.h"
#include "userspace/config/config.h"
#include "userspace/daemon/targets.h"
#include "userspace/engine/engine.h"
#include "userspace/model/profile.h"
#include "userspace/process/proc_fs.h"
#include "userspace/report/live_rows.h"

// Where `top` gets what it shows.
namespace pyprof::cli {

// Windows of samples: of BPF programs of our own, or of a running daemon. For one thread.
class TopSource {
 public:
  [[nodiscard]] static Result<TopSource> open(const TopOptions& options,
                                              const config::Config& config);

  // Waits for the window to end. One without samples is no error. `cancelled` ends it early.
  [[nodiscard]] Result<model::Profile> window(uint64_t duration_ns,
                                              const std::function<bool()>& cancelled);

 private:
  TopSource(const TopOptions& options, std::string control_socket)
      : pids_(options.pids),
        rate_hz_(options.rate_hz),
        gil_(options.gil),
        socket_(std::move(control_socket)) {}
  Result<model::Profile> ask_daemon(uint64_t duration_ns, const std::function<bool()>& cancelled);

  std::vector<int32_t> pids_;
  uint32_t rate_hz_;
  bool gil_;                                // only samples that hold the GIL
  std::string socket_;                      // of the daemon
  std::unique_ptr<engine::Engine> engine_;  // nullptr = the daemon samples
};

// Where the threads of a process are, read from its memory while it runs. One thread.
class TopThreads {
 public:
  TopThreads(const process::ProcFs& proc, bool full_filenames)
      : proc_(proc), finder_(proc), full_filenames_(full_filenames) {}

  // Fills in `threads` and `no_threads`. A process whose reading takes long is read less often, so
  // that this takes about 1 % of a core.
  void read(int32_t pid, report::LiveData& into);
  // Of the last process that was read.
  [[nodiscard]] int32_t pid() const { return pid_; }

 private:
  using Clock = std::chrono::steady_clock;
  void find(int32_t pid);

  const process::ProcFs& proc_;
  daemon::PythonFinder finder_;
  const bool full_filenames_;
  int32_t pid_ = 0;  // of what follows
  std::optional<daemon::PythonFinder::Runtime> runtime_;
  std::string why_not_;
  Clock::time_point next_{};
};

}  // namespace pyprof::cli
