// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "userspace/model/process.h"
#include "userspace/model/sample.h"
#include "userspace/process/file_table.h"
#include "userspace/process/proc_fs.h"
#include "userspace/process/process_state.h"

// Which processes there are and what is mapped in them, from the kernel's events. Does not read
// files or symbols, and decides nothing about unwinding.
namespace pyprof::process {

// A process whose mappings have to be read from /proc.
struct ScanRequest {
  model::ProcessId process = 0;
  int32_t pid = 0;
  uint64_t start_ns = 0;  // CLOCK_BOOTTIME
};

struct ScanResult {
  ScanRequest of;
  uint64_t time_ns = 0;  // CLOCK_MONOTONIC, before the reading began
  bool gone = false;     // exited, or the pid is another process's now
  ExecutableMappings maps;
};

// Any thread. Waits for the process's memory map lock, so that a busy process can delay it.
ScanResult read_mappings(const ProcFs& proc, const ScanRequest& request);

struct TrackerLimits {
  std::size_t max_processes = 65'536;  // exited ones in their grace time included
  std::size_t max_thread_comms = 131'072;
  std::size_t max_comms_per_process = 4'096;
  uint64_t grace_ns = 2'000'000'000;  // how long exited processes can still be asked for
};

struct TrackerCounters {
  uint64_t lost_events = 0;        // records that the kernel could not deliver
  uint64_t orphan_mappings = 0;    // of processes that were not known
  uint64_t dropped_mappings = 0;   // over WIRE_MAX_MAPPINGS in one process
  uint64_t refused_processes = 0;  // over max_processes
  uint64_t dropped_comms = 0;
  uint64_t dropped_exits = 0;  // nobody called take_exited()
};

// Events must be applied in order of time. Of exec the kernel tells twice: a kComm with exec_id
// kExecBegins when the new address space is in place, then the mappings of the new program, and
// last a kExec with its generation. What the new generation maps is collected from the first on;
// without it (lost), kExec starts with no mappings and asks for a scan.
//
// To start: apply one kScan event for each process, then scan(). After kLost, needs_scan() holds:
// do the same again; what has exited meanwhile is found by the scan. One thread, but for the
// FileTable, which must outlive the tracker.
class Tracker {
 public:
  static constexpr uint64_t kExecBegins = ~uint64_t{0};

  explicit Tracker(FileTable& files) : Tracker(files, TrackerLimits{}) {}
  Tracker(FileTable& files, TrackerLimits limits) : files_(files), limits_(limits) {}

  void apply(const model::ProcessEvent& event);

  // Scanning in pieces, so that the reading can be another thread's: each request is handed out
  // once, read_mappings() answers it, apply() takes the answer however late it comes.
  [[nodiscard]] bool needs_scan() const;
  std::vector<ScanRequest> take_scan_requests();
  void apply(const ScanResult& result);
  // All of it at once.
  void scan(const ProcFs& proc);

  // Live processes that are new or whose mappings changed since the last call.
  std::vector<model::ProcessId> take_changed();
  // Generations that ended since the last call, by exit, by exec or because the pid was reused.
  std::vector<model::ProcessId> take_exited();

  // Valid until the next non-const call. Exited generations are found for their grace time.
  [[nodiscard]] const ProcessState* find(model::ProcessId process) const;
  // The live process with this pid.
  [[nodiscard]] const ProcessState* find_pid(int32_t pid) const;
  // The thread's own name if it has set one, else its process's; empty if unknown.
  [[nodiscard]] std::string_view comm(model::ProcessId process, int32_t tid) const;

  // The file and address of a pc as things were at `time_ns`. File 0 and the raw pc if nothing is
  // mapped there, or it is no file, or FileTable::identify() has not met the file yet.
  [[nodiscard]] model::NativeAddress resolve(model::ProcessId process, uint64_t pc,
                                             uint64_t time_ns);
  // Whether another file took the address after the kernel's tables were built and before the
  // sample: its native stack was then unwound with the wrong rules from this pc on.
  [[nodiscard]] bool suspicious(model::ProcessId process, uint64_t pc, uint64_t sample_time_ns,
                                uint64_t tables_built_ns) const;

  // Drops processes that have been gone for the grace time; apply() does so, too.
  void expire(uint64_t now_ns);

  [[nodiscard]] const TrackerCounters& counters() const { return counters_; }
  [[nodiscard]] std::size_t live() const { return live_.size(); }
  [[nodiscard]] std::size_t exited() const { return exited_.size(); }

 private:
  using StatePtr = std::unique_ptr<ProcessState>;
  struct Exit {
    uint64_t time_ns;
    model::ProcessId process;
  };

  void on_scan(const model::ProcessEvent& event);
  void on_fork(const model::ProcessEvent& event);
  void on_exec_begins(const model::ProcessEvent& event);
  void on_exec(const model::ProcessEvent& event);
  void on_exit(const model::ProcessEvent& event);
  void on_map(const model::ProcessEvent& event);
  void on_comm(const model::ProcessEvent& event);

  [[nodiscard]] ProcessState* live(int32_t pid) const;
  [[nodiscard]] ProcessState* known(model::ProcessId process) const;
  ProcessState* create(int32_t pid, uint64_t time_ns);
  bool make_room();
  ProcessState* begin_generation(const model::ProcessEvent& event);
  void fill(ProcessState& state, const model::ProcessEvent& event);
  void name(ProcessState& state, model::ProcessId process);
  void retire(int32_t pid, uint64_t time_ns);
  void drop_comms(ProcessState& state);
  void mark_changed(ProcessState& state);
  void request_scan(const ProcessState& state);

  FileTable& files_;
  const TrackerLimits limits_;
  std::unordered_map<int32_t, StatePtr> live_;  // by pid
  std::unordered_map<model::ProcessId, StatePtr> exited_;
  std::unordered_map<model::ProcessId, ProcessState*> generations_;  // of both
  std::deque<Exit> exit_order_;
  std::vector<model::ProcessId> changed_;
  std::deque<model::ProcessId> ended_;
  std::vector<model::ProcessId> to_scan_;
  std::size_t thread_comms_ = 0;
  bool scan_all_ = false;
  TrackerCounters counters_;
};

}  // namespace pyprof::process
