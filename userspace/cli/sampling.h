// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/cli/command.h"
#include "userspace/config/config.h"
#include "userspace/daemon/signals.h"
#include "userspace/daemon/snapshot_job.h"
#include "userspace/model/usdt.h"
#include "userspace/server/control_client.h"

// The two ways to get samples: BPF programs of our own, or the daemon's.
namespace pyprof::cli {

// What goes on beside the sampling: a command that runs, someone who presses Ctrl-C, and progress
// for who looks at a terminal. One thread.
class Watch {
 public:
  Watch(const daemon::Signals& signals, std::optional<Command>& command, uint64_t duration_ns,
        bool show_progress)
      : signals_(signals),
        command_(command),
        duration_ns_(duration_ns),
        show_progress_(show_progress) {}

  // To be asked a few times a second while sampling. The first call starts the command. True = the
  // sampling is to end: a signal, or the command has ended.
  bool over();

  // For the progress line: what to ask, about once a second, how many samples there are.
  struct Counts {
    uint64_t samples = 0;
    uint64_t lost = 0;
  };
  void set_counts(std::function<Counts()> counts) { counts_ = std::move(counts); }

  // Counts of signals so far; a second one means that waiting is to end, too.
  [[nodiscard]] int signals_seen() const { return signals_seen_; }
  // Why the command could not be started.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  [[nodiscard]] bool runs_command() const { return command_.has_value(); }
  // Removes the progress line.
  void clear_progress() const;

 private:
  void start();
  void show_progress();

  const daemon::Signals& signals_;
  std::optional<Command>& command_;
  const uint64_t duration_ns_;
  const bool show_progress_;
  uint64_t start_ns_ = 0;
  uint64_t shown_s_ = UINT64_MAX;
  int signals_seen_ = 0;
  std::function<Counts()> counts_;  // may be empty: a daemon that samples tells at the end
  std::optional<Error> failure_;
};

// With `usdt` attached; what it names must be open.
[[nodiscard]] Result<daemon::SnapshotResult> sample_here(const daemon::SnapshotJob& job,
                                                         std::vector<model::UsdtPoint> usdt,
                                                         const config::Config& config,
                                                         Watch& watch);

// `client` is connected to `control_socket`.
[[nodiscard]] Result<daemon::SnapshotResult> sample_by_daemon(const daemon::SnapshotJob& job,
                                                              server::ControlClient client,
                                                              const std::string& control_socket,
                                                              Watch& watch);

}  // namespace pyprof::cli
