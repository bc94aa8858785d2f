// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"
#include "userspace/engine/items.h"
#include "userspace/engine/publisher.h"
#include "userspace/probe/decode.h"
#include "userspace/probe/loader.h"
#include "userspace/probe/side_band.h"
#include "userspace/process/tracker.h"

namespace pyprof::engine {

struct CollectorStats {
  uint64_t lost_in_queue = 0;  // samples dropped because symbolizing did not keep up
  uint64_t outdated = 0;       // ticks whose stack was unwound with tables of a replaced mapping
  uint64_t malformed = 0;
  uint64_t late = 0;  // stacks that were unwound to their end in userspace
  uint64_t events_lost = 0;
  uint64_t processes = 0;
  double ring_fill = 0;  // worst since the last reading
};

// One thread that empties the kernel's rings, keeps the tracker and makes raw samples of records.
// Ring and side band are merged by time: the ring is read first, so that every mapping event older
// than a sample is there when the sample is resolved.
class Collector {
 public:
  static constexpr uint64_t kPollNs = 50'000'000;

  // `only_pids`: tables are made for these processes alone, and for whom they fork if
  // `follow_children`; empty = for all.
  Collector(probe::Probe& probe, probe::SideBand side_band, process::FileTable& files,
            Publisher& publisher, BatchQueue& queue, const std::vector<int32_t>& only_pids,
            bool follow_children);
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // Learns the processes there are; call once, before run().
  void learn_processes();
  Result<void> run();

  // Everything that is in the rings now is handed over, and dealt with when the future is set.
  std::future<void> flush();
  CollectorStats take_stats();

 private:
  struct Pending {
    uint64_t time_ns = 0;
    uint32_t map_gen = 0;
    Item item;
  };

  void loop();
  bool wait();
  void pump(bool with_samples);
  void read_samples();
  void read_events();
  void apply_scan_results();
  void apply(const model::ProcessEvent& event);
  void merge();
  void take(const probe::Record& record, std::span<const uint8_t> bytes);
  void add_tick(const wire_tick& tick, uint64_t task);
  void add_stack(const probe::StackRecord& record);
  void resolve(Pending& pending);
  void complete(const model::CodeObject& code);
  void finish_codes();
  bool resolve_sample(Pending& pending, model::RawSample& sample);
  void resolve_stack(const Pending& pending, model::RawStack& stack);
  bool finish_stack(model::RawStack& stack, bool last_try);
  void finish_held(bool last_try);
  void hand_over_changes();
  void hand_over_items();
  void rescan();

  probe::Probe& probe_;
  probe::SideBand side_band_;
  Publisher& publisher_;
  BatchQueue& queue_;
  std::unordered_set<int32_t> only_pids_;
  const bool follow_children_;
  process::Tracker tracker_;
  probe::Decoder decoder_;
  std::vector<Pending> pending_;
  std::vector<model::ProcessEvent> events_;
  // A stack that waits for tables, and its tick.
  struct Held {
    model::RawStack stack;
    std::optional<model::RawSample> sample;
  };
  std::deque<Held> held_;
  Batch batch_;
  uint64_t last_event_ns_ = 0;
  Fd epoll_, timer_, wake_;
  std::atomic<bool> stop_{false};

  std::mutex mutex_;  // guards what follows
  std::vector<std::shared_ptr<std::promise<void>>> flushes_;
  std::vector<process::ScanResult> scans_;
  CollectorStats stats_;
  std::thread thread_;
};

}  // namespace pyprof::engine
