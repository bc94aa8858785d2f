// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/engine.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <thread>

#include "userspace/base/clock.h"
#include "userspace/engine/aggregator.h"
#include "userspace/engine/collector.h"
#include "userspace/engine/cpu_meter.h"
#include "userspace/engine/symbol_files.h"
#include "userspace/engine/thread_names.h"
#include "userspace/probe/kernel_features.h"

namespace pyprof::engine {

namespace {

constexpr std::size_t kQueuedBatches = 256;
constexpr auto kStartLimit = std::chrono::milliseconds(1000);     // for the whole host
constexpr auto kTargetLimit = std::chrono::milliseconds(10'000);  // for processes asked for
constexpr auto kFlushLimit = std::chrono::seconds(5);
constexpr auto kNamesLimit = std::chrono::milliseconds(500);
constexpr uint64_t kPollNs = 50'000'000;

symbolize::SymbolizerLimits symbolizer_limits(const config::Limits& limits) {
  symbolize::SymbolizerLimits result;
  result.raw_stack_bytes = limits.stack_cache_bytes;
  result.native.table_bytes = limits.symbol_cache_bytes;
  return result;
}

account::AccountantLimits accountant_limits(const config::Metrics& metrics) {
  account::AccountantLimits limits;
  limits.groups = metrics.groups;
  limits.containers = metrics.containers;
  return limits;
}

// Every mapped file stays open for its symbols.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

bool uses_cgroup_v1() {
  const auto layout = process::detect_cgroups(process::ProcFs());
  return layout.mode != process::CgroupMode::kV2 && !layout.cpuacct_mount.empty();
}

uint64_t outcome(const probe::Counters& counters, wire_outcome which) {
  return counters.values.outcomes[which];
}

uint64_t lost_ticks(const probe::Counters& c) {
  return outcome(c, WIRE_OUT_LOST_TICK) + outcome(c, WIRE_OUT_LOST_STACK) +
         outcome(c, WIRE_OUT_LOST_PROGRAM);
}

// A process that nobody has waited for yet runs no more, unless just its first thread has ended.
bool is_running(int32_t pid) {
  const auto stat = process::ProcFs().stat(pid);
  return stat && ((stat->state != 'Z' && stat->state != 'X') || stat->threads > 1);
}

}  // namespace

class Engine::Impl {
 public:
  Impl(const EngineOptions& options, std::unique_ptr<probe::Probe> probe,
       std::unique_ptr<reader::FileReader> reader, bool cgroup_v1)
      : options_(options),
        probe_(std::move(probe)),
        tables_(probe_->table_memory()),
        directory_(cgroup_v1),
        catalog_(files_, tables_),
        symbol_files_(files_, catalog_, directory_, reader->program()),
        publisher_(*probe_, tables_, files_, catalog_, directory_, std::move(reader)),
        queue_(kQueuedBatches),
        aggregator_(
            queue_, symbol_files_, kernel_symbols_, symbolizer_limits(options.limits),
            [this](model::StackKey key) { probe_->delete_stack(key); },
            [this](const auto& codes) { probe_->delete_codes(codes); }) {}

  ~Impl() { probe_->stop_sampling(); }

  Result<void> start();
  Result<model::Profile> snapshot(const SnapshotRequest& request,
                                  const std::function<bool()>& cancelled);
  EngineStatus status();
  [[nodiscard]] std::vector<model::ProcessInfo> known_processes() const {
    return directory_.list_known();
  }
  EngineStatus stop();
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

Result<void> Engine::Impl::start() {
  auto side_band = probe::SideBand::open({});
  if (!side_band) return side_band.error();
  if (const auto attached = probe_->attach_process_events(); !attached) return attached.error();
  if (const auto attached = probe_->attach_usdt(options_.usdt); !attached) return attached.error();
  collector_ = std::make_unique<Collector>(*probe_, std::move(*side_band), files_, publisher_,
                                           queue_, options_.only_pids);
  collector_->learn_processes();
  if (const auto running = collector_->run(); !running) return running.error();
  publisher_.wait_idle(options_.only_pids.empty() ? kStartLimit : kTargetLimit);
  meter_ = std::make_unique<CpuMeter>(*probe_, directory_, accountant_limits(options_.metrics),
                                      [this] { return aggregator_.take_counts(); });
  const std::lock_guard lock(mutex_);
  base_rate_hz_ = options_.sampling.rate_hz;
  status_ns_ = monotonic_ns();
  return apply_rate();
}

// With mutex_ held.
Result<void> Engine::Impl::apply_rate() {
  uint32_t rate = base_rate_hz_;
  aggregator_.set_base_rate(base_rate_hz_);
  if (!wanted_rates_.empty()) rate = std::max(rate, *wanted_rates_.rbegin());
  if (rate == rate_hz_) return {};
  const auto done = probe_->sample(rate);
  if (done) rate_hz_ = rate;
  return done;
}

Result<void> Engine::Impl::reconfigure(const config::Sampling& sampling) {
  const std::lock_guard lock(mutex_);
  base_rate_hz_ = sampling.rate_hz;
  return apply_rate();
}

void Engine::Impl::wait(const SnapshotRequest& request,
                        const std::function<bool()>& cancelled) const {
  const uint64_t end_ns = monotonic_ns() + request.duration_ns;
  while (true) {
    const uint64_t now_ns = monotonic_ns();
    if (now_ns >= end_ns || cancelled()) return;
    const bool all_gone =
        !request.pids.empty() && std::none_of(request.pids.begin(), request.pids.end(), is_running);
    if (all_gone) return;
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(kPollNs, end_ns - now_ns)));
  }
}

void Engine::Impl::flush() {
  collector_->flush().wait_for(kFlushLimit);
}

Engine::Impl::Losses Engine::Impl::losses() {
  return {probe_->counters(), collector_->take_stats(), aggregator_.stats()};
}

model::Quality Engine::Impl::quality(const Losses& before, const Losses& after) const {
  const auto counters = after.counters - before.counters;
  model::Quality quality;
  const uint64_t queue = after.collector.lost_in_queue - before.collector.lost_in_queue;
  const uint64_t outdated = after.collector.outdated - before.collector.outdated;
  const uint64_t unknown = after.aggregator.unknown_stacks - before.aggregator.unknown_stacks;
  quality.kernel_ticks = counters.values.ticks - outcome(counters, WIRE_OUT_IDLE) -
                         outcome(counters, WIRE_OUT_FILTERED);
  quality.lost = lost_ticks(counters) + queue + outdated + unknown;
  const auto labels = probe::fault_labels();
  for (std::size_t i = 1; i < labels.size(); ++i) {
    const uint64_t count = counters.values.faults[i];
    if (count > 0) quality.faults[std::string(labels[i].label)] = count;
  }
  if (queue > 0) quality.faults["queue_full"] = queue;
  if (outdated > 0) quality.faults["mapping_replaced"] = outdated;
  if (unknown > 0) quality.faults["unknown_stack"] = unknown;
  return quality;
}

void Engine::Impl::read_names(const std::vector<int32_t>& pids, Names& names) const {
  for (const int32_t pid : pids) {
    const auto process = directory_.live_process(pid);
    const auto runtime = process ? directory_.python_runtime(*process) : std::nullopt;
    if (!runtime) continue;
    for (auto& [tid, name] : thread_names(pid, *runtime, kNamesLimit)) {
      names[pid][tid] = std::move(name);
    }
  }
}

void Engine::Impl::add_threads(aggregate::ProfileBuilder& builder, const account::WindowCpu& cpu,
                               const Names& names) const {
  for (const auto& thread : cpu.threads) {
    const auto process = names.find(thread.pid);
    std::string name;
    if (process != names.end()) {
      const auto own = process->second.find(thread.tid);
      if (own != process->second.end()) name = own->second;
    }
    builder.add_thread(thread.process, thread.pid, thread.tid, thread.comm, name, thread.ns);
  }
}

Result<model::Profile> Engine::Impl::snapshot(const SnapshotRequest& request,
                                              const std::function<bool()>& cancelled) {
  aggregate::WindowInfo info;
  {
    const std::lock_guard lock(mutex_);
    const auto wish = wanted_rates_.insert(request.rate_hz);
    if (const auto applied = apply_rate(); !applied) {
      wanted_rates_.erase(wish);
      return applied.error();
    }
    info.rate_hz = request.rate_hz;
  }
  const auto before = losses();
  const uint64_t cpu_window = meter_->open_window(request.pids);
  const uint64_t start_ns = monotonic_ns();
  info.start_unix_ns = static_cast<int64_t>(realtime_ns());
  const uint64_t window =
      aggregator_.open_window(request.pids, start_ns, info.rate_hz, request.labels);
  Names names;
  read_names(request.pids, names);
  wait(request, cancelled);
  info.duration_ns = monotonic_ns() - start_ns;
  read_names(request.pids, names);
  flush();
  const auto cpu = meter_->close_window(cpu_window);
  {
    const std::lock_guard lock(mutex_);
    wanted_rates_.erase(wanted_rates_.find(request.rate_hz));
    [[maybe_unused]] const auto lowered = apply_rate();
  }
  info.host = host_name();
  info.tool_version = options_.tool_version;
  info.period_ns = 1'000'000'000 / std::max(1u, info.rate_hz);
  info.event = "cpu-clock";
  info.quality = quality(before, losses());
  auto profile = aggregator_.close_window(
      window, info, [&](aggregate::ProfileBuilder& builder) { add_threads(builder, cpu, names); },
      [this](model::ProcessId process, int32_t pid) { return directory_.describe(process, pid); });
  for (const auto& process : profile.processes)
    directory_.set_coverage(process.process, process.coverage);
  return profile;
}

// Of the maps that userspace fills; the kernel's own hash maps can't be counted cheaply.
std::optional<uint64_t> Engine::Impl::entries_of(const std::string& map) const {
  if (map == "rows") return (tables_.rows().used() + WIRE_ROW_CHUNK - 1) / WIRE_ROW_CHUNK;
  if (map == "row_index") return (tables_.index().used() + WIRE_ROW_CHUNK - 1) / WIRE_ROW_CHUNK;
  if (map == "mappings") return tables_.mappings().used();
  if (map == "pythons") return tables_.pythons().used();
  return std::nullopt;
}

void Engine::Impl::add_faults(const Losses& now, EngineStatus& status) const {
  const auto& values = now.counters.values;
  const auto outcomes = probe::outcome_labels();
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    status.outcomes.emplace_back(outcomes[i].label, values.outcomes[i]);
  }
  const auto faults = probe::fault_labels();
  for (std::size_t i = 1; i < faults.size(); ++i) {
    status.faults.emplace_back(faults[i].label, values.faults[i]);
  }
  status.faults.emplace_back("queue_full", now.collector.lost_in_queue);
  status.faults.emplace_back("mapping_replaced", now.collector.outdated);
  status.faults.emplace_back("unknown_stack", now.aggregator.unknown_stacks);
  status.faults.emplace_back("malformed_record", now.collector.malformed);
  status.faults.emplace_back("lines_unread", now.aggregator.lines_lost);
  status.faults.emplace_back("tables_full", publisher_.refused() + catalog_.unplaced());
  const auto reader = publisher_.reader_counts();
  for (std::size_t i = 0; i < reader.failures.size(); ++i) {
    const auto reason = static_cast<reader::Failure>(i);
    status.faults.emplace_back(to_label(reason),
                               reader.failures[i] + symbol_files_.failures(reason));
  }
}

EngineStatus Engine::Impl::status() {
  EngineStatus status;
  const auto now = losses();
  const auto& values = now.counters.values;
  status.time_ns = monotonic_ns();
  status.event = "cpu-clock";
  status.kernel_ticks = values.ticks;
  add_faults(now, status);
  status.delivered = now.aggregator.delivered;
  status.identity_ns = values.identity_ns;
  status.identity_checks = values.identity_checks;
  status.code_records = values.code_records;
  status.stack_bytes = values.stack_bytes;
  status.tick_bytes = values.tick_bytes;
  status.context_switches = values.switches;
  status.cpu_unattributed_ns = values.cpu_unattributed_ns;
  status.ring_fill_ratio = now.collector.ring_fill;
  status.queue_depth = queue_.size();
  status.queue_capacity = queue_.capacity();
  status.queue_dropped = queue_.dropped();
  status.processes = now.collector.processes;
  status.python_processes = directory_.python_processes();
  status.statuses = directory_.count_statuses();
  status.native_frames = values.native_frames;
  status.python_frames = values.python_frames;
  status.events_lost = now.collector.events_lost;
  for (const auto& map : probe_->maps()) {
    status.maps.push_back({map.name, entries_of(map.name), map.max_entries, map.bytes});
  }
  status.cpu = meter_->totals();
  const std::lock_guard lock(mutex_);
  status.rate_hz = rate_hz_;
  const double seconds = static_cast<double>(status.time_ns - status_ns_) / 1e9;
  if (seconds > 0) {
    status.achieved_hz = static_cast<double>(values.ticks - status_ticks_) / seconds /
                         std::max(1u, probe_->online_cpus());
  }
  status_ns_ = status.time_ns;
  status_ticks_ = values.ticks;
  return status;
}

EngineStatus Engine::Impl::stop() {
  probe_->stop_sampling();
  flush();
  return status();
}

Result<std::unique_ptr<Engine>> Engine::start(const EngineOptions& options) {
  if (options.sampling.event == config::Event::kCycles) {
    return Error{"the cycles event is not built yet: use cpu-clock", ExitCode::kUsage};
  }
  raise_file_limit();
  // It is ready by the time that the kernel's programs are.
  auto reader = reader::start_file_reader(options.table_cache, options.limits.table_cache_bytes);
  if (!reader) return reader.error();
  const bool cgroup_v1 = uses_cgroup_v1();
  auto probe = probe::Probe::load(
      {options.limits, options.only_pids, cgroup_v1, options.time_identity, !options.usdt.empty()});
  if (!probe) return probe.error();
  auto impl = std::make_unique<Impl>(options, std::move(*probe), std::move(*reader), cgroup_v1);
  if (const auto started = impl->start(); !started) return started.error();
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<model::Profile> Engine::snapshot(const SnapshotRequest& request,
                                        const std::function<bool()>& cancelled) {
  return impl_->snapshot(request, cancelled);
}

EngineStatus Engine::status() {
  return impl_->status();
}

std::vector<model::ProcessInfo> Engine::known_processes() const {
  return impl_->known_processes();
}

EngineStatus Engine::stop() {
  return impl_->stop();
}

Result<void> Engine::reconfigure(const config::Sampling& sampling) {
  return impl_->reconfigure(sampling);
}

}  // namespace pyprof::engine
