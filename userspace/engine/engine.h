// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/account/accountant.h"
#include "userspace/aggregate/process_status.h"
#include "userspace/base/result.h"
#include "userspace/config/config.h"
#include "userspace/debuginfod/client.h"
#include "userspace/model/profile.h"
#include "userspace/model/usdt.h"

// The stages from the kernel to profiles, wired and running on threads of their own: what both the
// daemon and a snapshot without a daemon are made of. Serves no network and writes no file.
namespace pyprof::engine {

struct EngineOptions {
  config::Sampling sampling;
  config::Limits limits;
  config::Metrics metrics;
  std::vector<int32_t> only_pids;  // sample nothing but these processes; empty = the whole host
  bool follow_children = false;    // of only_pids: those there are and those to come
  std::string table_cache;  // directory for unwind tables, see reader::TableCache; empty = none
  debuginfod::Options debuginfod;      // no urls: no debug file is downloaded
  bool time_identity = false;          // measure the time spent on code identities (costs a little)
  std::vector<model::UsdtPoint> usdt;  // attached while the engine lives; of `only_pids`
  std::string tool_version;
};

struct SnapshotRequest {
  std::vector<int32_t> pids;  // empty = all processes
  uint64_t duration_ns = 0;
  uint32_t rate_hz = 99;
  bool labels = false;    // samples are told apart by GIL, GC, interpreter and asyncio task
  bool in_a_row = false;  // after an equal window: names of threads are read at its end alone
};

// A map of the kernel side, for metrics.
struct MapUse {
  std::string name;
  std::optional<uint64_t> entries;  // empty where the kernel can't say cheaply
  uint64_t max_entries = 0;
  uint64_t bytes = 0;  // charged to the service
};

// One reading of everything that is counted. Counters only grow while the engine lives.
struct EngineStatus {
  uint64_t time_ns = 0;  // CLOCK_MONOTONIC
  uint64_t kernel_ticks = 0;
  std::vector<std::pair<std::string, uint64_t>>
      outcomes;  // label -> ticks; their sum is kernel_ticks
  std::vector<std::pair<std::string, uint64_t>> faults;  // label -> count, kernel and userspace
  uint64_t delivered = 0;  // tick and stack records that userspace symbolized
  uint64_t identity_ns = 0;
  uint64_t identity_checks = 0;
  uint64_t code_records = 0;
  uint64_t late_stacks = 0;  // unwound to their end in userspace: the kernel had no tables yet
  uint64_t stack_bytes = 0;
  uint64_t tick_bytes = 0;
  uint64_t context_switches = 0;
  uint64_t cpu_unattributed_ns = 0;
  std::string event;           // "cpu-clock"
  uint32_t rate_hz = 0;        // requested, the highest of all consumers
  double achieved_hz = 0;      // ticks per online CPU and second over the last window
  double ring_fill_ratio = 0;  // of the samples ring, the worst since the last reading
  uint64_t queue_depth = 0;
  uint64_t queue_capacity = 0;
  uint64_t queue_dropped = 0;
  debuginfod::Stats debug_files;
  uint64_t processes = 0;            // live, as tracked
  uint64_t python_processes = 0;     // with readable frames
  aggregate::StatusCounts statuses;  // of live processes
  uint64_t native_frames = 0;        // unwound in the kernel
  uint64_t python_frames = 0;
  uint64_t events_lost = 0;  // side-band and process events
  std::vector<MapUse> maps;
  account::Totals cpu;  // measured CPU time by group and container
};

class Engine {
 public:
  // Loads and attaches the BPF programs, learns the processes there are and starts to sample.
  // Returns when the tables of the running processes are in place (at most a second), so that the
  // first samples are whole. Fails with kPermission or kNotSupported and what to do about it.
  static Result<std::unique_ptr<Engine>> start(const EngineOptions& options);

  // Stops sampling and leaves no program, map or link behind. Joins all threads.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Profiles the processes for the duration, waiting in the calling thread; several may run at
  // once. Ends early, with what there is, when `cancelled` says so (asked every 50 ms) or when all
  // asked-for processes have exited. Raises the sampling rate while it runs if it has to.
  // Errors: kNoProcess (none of the pids exists), kNoSamples never: the caller judges an empty one.
  Result<model::Profile> snapshot(const SnapshotRequest& request,
                                  const std::function<bool()>& cancelled);

  [[nodiscard]] EngineStatus status();

  // The live processes that run CPython or were sampled, each with what the last window that
  // sampled it told.
  [[nodiscard]] std::vector<model::ProcessInfo> known_processes() const;

  // Ends sampling, deals with all that is in flight and tells the final state: then the ticks that
  // were sent are exactly those delivered and those lost for a reason in `faults`.
  EngineStatus stop();

  // Waits for debug files that were asked for, at most `limit`: snapshots that begin later have
  // their names. What to do if there is no hope for any, "" otherwise.
  std::string wait_for_debug_files(std::chrono::milliseconds limit);

  // Changes what can be changed while running (the base sampling rate).
  Result<void> reconfigure(const config::Sampling& sampling);

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pyprof::engine
