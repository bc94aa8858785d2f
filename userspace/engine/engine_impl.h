// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "userspace/engine/aggregator.h"
#include "userspace/engine/collector.h"
#include "userspace/engine/cpu_meter.h"
#include "userspace/engine/engine.h"
#include "userspace/engine/symbol_files.h"

// What an engine holds, for the files that implement it.
namespace pyprof::engine {

class Engine::Impl {
 public:
  Impl(const EngineOptions& options, std::unique_ptr<probe::Probe> probe,
       std::unique_ptr<reader::FileReader> reader, bool cgroup_v1);
  ~Impl() { probe_->stop_sampling(); }

  Result<void> start();
  Result<model::Profile> snapshot(const SnapshotRequest& request,
                                  const std::function<bool()>& cancelled);
  EngineStatus status();
  [[nodiscard]] std::vector<model::ProcessInfo> known_processes() const {
    return directory_.list_known();
  }
  EngineStatus stop();
  std::string wait_for_debug_files(std::chrono::milliseconds limit);
  Result<void> reconfigure(const config::Sampling& sampling);

 private:
  struct Losses {
    probe::Counters counters;
    CollectorStats collector;
    AggregatorStats aggregator;
  };

  Result<void> apply_rate();
  void wait(const SnapshotRequest& request, const std::function<bool()>& cancelled) const;
  void flush();
  Losses losses();
  model::Quality quality(const Losses& before, const Losses& after) const;
  using Names = std::map<int32_t, std::map<int32_t, std::string>>;  // pid -> tid -> name
  Result<std::vector<int32_t>> first_targets();
  void leave_targets(account::WindowCpu& cpu) const;
  void read_names(const std::vector<int32_t>& pids, Names& names) const;
  void add_threads(aggregate::ProfileBuilder& builder, const account::WindowCpu& cpu,
                   const Names& names) const;
  [[nodiscard]] std::optional<uint64_t> entries_of(const std::string& map) const;
  void add_faults(const Losses& now, EngineStatus& status) const;

  const EngineOptions options_;
  std::unique_ptr<probe::Probe> probe_;
  process::FileTable files_;
  probe::TableStore tables_;
  ProcessDirectory directory_;
  FileCatalog catalog_;
  SymbolFiles symbol_files_;
  Publisher publisher_;
  symbolize::KernelSymbols kernel_symbols_;
  BatchQueue queue_;
  Aggregator aggregator_;
  std::unique_ptr<Collector> collector_;
  std::unique_ptr<CpuMeter> meter_;

  std::mutex mutex_;  // guards what follows
  uint32_t base_rate_hz_ = 0;
  std::multiset<uint32_t> wanted_rates_;
  uint32_t rate_hz_ = 0;
  uint64_t status_ns_ = 0;
  uint64_t status_ticks_ = 0;
};

}  // namespace pyprof::engine
