// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"
#include "userspace/model/process.h"

// What the kernel tells of every process on the host as it happens: new names (with a mark on those
// that come from exec) and every executable mapping. One dummy perf event and one ring per CPU; no
// BPF. Fork, exec and exit with process generations come from raw tracepoints; the kernel's task
// records, which come along with these, are skipped: without a generation they would only have to
// be matched again.
// Unmapping and mremap are not reported by the kernel: a later mapping wins where two overlap.
namespace pyprof::probe {

// ProcessEvent::exec_id of a kComm that an exec caused; 0 where a thread renamed itself. The exec's
// true id arrives with the kExec event.
inline constexpr uint64_t kExecComm = ~0ULL;

struct SideBandOptions {
  std::size_t pages_per_cpu =
      64;                     // ring size, a power of two; made smaller where memory is limited
  uint32_t wakeup_bytes = 1;  // the fds wake when so much is new; 1 = at every record
  std::size_t max_events = 16384;  // one drain() appends at most so many

  // The kernel gives a mapping's build-id *instead of* device and inode. Off by default: device and
  // inode tell which file to open and are there for every file, while a build-id needs a note in
  // the first page, resident at that moment, and can be forged or shared by a copy. On, a file is
  // recognised across containers without opening it. Needs 5.12; older kernels ignore it here.
  bool build_ids = false;
};

struct SideBandStats {
  uint64_t events = 0;     // delivered
  uint64_t lost = 0;       // the kernel had no room for them
  uint64_t malformed = 0;  // records that were not asked for or make no sense
};

// One thread at a time. Closing it ends the reporting.
class SideBand {
 public:
  // Needs CAP_PERFMON. Reporting starts at once: open it before /proc is scanned.
  static Result<SideBand> open(const SideBandOptions& options);

  // To wait on, edge-triggered in effect: a wake-up is told once. Owned by this object.
  [[nodiscard]] std::vector<int> fds() const;

  // Appends what happened since the last call, sorted by time. Events of one task, and of tasks
  // that caused each other's, never come in the wrong order, over several calls neither. Returns
  // how many; options.max_events means that there is more. After kLost, scan /proc again. The error
  // is a ring with bytes that are no record: it was emptied, and kLost was appended.
  Result<std::size_t> drain(std::vector<model::ProcessEvent>& out);

  [[nodiscard]] std::size_t cpus() const { return rings_.size(); }
  // CPUs that were offline at open(). Processes that start there later are not reported.
  [[nodiscard]] std::size_t skipped_cpus() const { return skipped_cpus_; }
  [[nodiscard]] std::size_t pages_per_cpu() const { return pages_; }
  [[nodiscard]] bool build_ids() const { return options_.build_ids; }
  [[nodiscard]] const SideBandStats& stats() const { return stats_; }

 private:
  struct Ring {
    int cpu = 0;
    Fd fd;
    Mmap map;           // a control page, then the data
    uint64_t tail = 0;  // consumed; published at the end of a pass
    uint64_t head = 0;  // as seen at the start of the pass
  };
  struct Pending {  // the oldest record of a ring, not yet consumed
    model::ProcessEvent event;
    std::size_t ring = 0;
    std::size_t bytes = 0;
  };
  struct Pass;

  explicit SideBand(const SideBandOptions& options);
  Result<void> open_cpu(int cpu);
  int try_map_rings();
  Result<void> map_rings();
  std::span<const uint8_t> peek(const Ring& ring);
  std::optional<Pending> next(std::size_t index, Pass& pass);
  void drop_corrupt(Ring& ring, Pass& pass);
  void run(Pass& pass);

  SideBandOptions options_;
  std::size_t pages_;
  std::size_t skipped_cpus_ = 0;
  std::vector<Ring> rings_;
  std::vector<uint8_t> scratch_;  // a record that wraps around the ring's end, in one piece
  SideBandStats stats_;
};

// One perf record, header to sample id, as this side band asks for them (TID, TIME, CPU at the
// end). nullopt: of another type, not executable, or shorter than it must be.
[[nodiscard]] std::optional<model::ProcessEvent> parse_side_band_record(
    std::span<const uint8_t> record);

}  // namespace pyprof::probe
