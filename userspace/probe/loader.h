// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bpf/wire.h"
#include "userspace/base/result.h"
#include "userspace/config/config.h"
#include "userspace/model/process.h"
#include "userspace/model/usdt.h"
#include "userspace/probe/counter_labels.h"
#include "userspace/probe/ring.h"
#include "userspace/probe/tables.h"

// The kernel side as an object: loads the programs, attaches them, gives access to rings and maps.
// With side_band.h the only user of libbpf and perf_event_open.
namespace pyprof::probe {

struct LoadOptions {
  config::Limits limits;           // sizes of the maps
  std::vector<int32_t> only_pids;  // empty = every process
  bool cgroup_v1 = false;          // cgroup ids of the cpuacct hierarchy
  bool time_identity = false;
  bool usdt = false;             // attach_usdt() will be called
  bool follow_children = false;  // of `only_pids`, whoever forks from now on
};

// CPU time of one thread since the last drain.
struct CpuTime {
  uint64_t process = 0;
  int32_t pid = 0;
  int32_t tid = 0;
  uint64_t cgroup_id = 0;
  uint64_t ns = 0;
  std::string comm;
};

struct MapInfo {
  std::string name;
  uint64_t max_entries = 0;
  uint64_t bytes = 0;  // charged for it, from fdinfo
};

// Calls that only make system calls on maps (marked *) may come from any thread, the others from
// one.
class Probe {
 public:
  // Loads, attaches nothing. kPermission or kNotSupported with the verifier's last words.
  static Result<std::unique_ptr<Probe>> load(const LoadOptions& options);
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  // Fork, exec and exit, and CPU accounting, start to be reported.
  Result<void> attach_process_events();
  // Until the kernel has verified all programs, which goes on when load() has returned. Fails like
  // load().
  Result<void> wait_programs();
  // Samples every online CPU with a fixed period, once all programs are there; a call with another
  // rate replaces the events, a call that fails leaves them as they were.
  Result<void> sample(uint32_t rate_hz);
  void stop_sampling();
  // Once, of processes in `only_pids`; see usdt.h for what it does to them. Until the Probe goes.
  Result<void> attach_usdt(std::span<const model::UsdtPoint> points);

  // One more process to sample, where there are only_pids.
  Result<void> add_target(int32_t pid);  // *
  // Who is or was sampled of them and, if they are followed, of their children.
  [[nodiscard]] std::vector<int32_t> targets() const;  // *

  // All processes there are, as kScan events. Empty where the kernel has no task iterator.
  std::vector<model::ProcessEvent> list_processes();

  Ring& samples();
  Ring& events();
  [[nodiscard]] int events_fd() const;  // for epoll: readable when an event was sent

  TableMemory table_memory();
  Result<void> set_process(int32_t pid, const wire_process& process);  // *
  void remove_process(int32_t pid);                                    // *
  // The kernel forgets the stack: its next sample comes with all frames.
  void delete_stack(uint64_t key);  // *
  // The kernel captures these code objects again when it meets them: pairs of process and id.
  void delete_codes(std::span<const std::pair<uint64_t, uint64_t>> keys);  // *

  [[nodiscard]] Counters counters() const;  // *
  // CPU time charged since the last call. Swaps the kernel's tables and drains the other one, which
  // nobody has written for as long as the last call is ago: call it no faster than every 10 ms.
  std::vector<CpuTime> drain_cpu_times();
  [[nodiscard]] std::vector<MapInfo> maps() const;  // *

  [[nodiscard]] uint32_t online_cpus() const;

 private:
  struct State;
  explicit Probe(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pyprof::probe
