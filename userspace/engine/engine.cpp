// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/engine.h"

#include <sys/resource.h>

#include <algorithm>

#include "userspace/base/clock.h"
#include "userspace/engine/engine_impl.h"
#include "userspace/probe/kernel_features.h"
#include "userspace/process/proc_fs.h"

namespace pyprof::engine {

namespace {

constexpr std::size_t kQueuedBatches = 256;
constexpr auto kStartLimit = std::chrono::milliseconds(1000);     // for the whole host
constexpr auto kTargetLimit = std::chrono::milliseconds(10'000);  // for processes asked for
constexpr auto kFlushLimit = std::chrono::seconds(5);

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

bool uses_cgroup_v1() {
  const auto layout = process::detect_cgroups(process::ProcFs());
  return layout.mode != process::CgroupMode::kV2 && !layout.cpuacct_mount.empty();
}

}  // namespace

Engine::Impl::Impl(const EngineOptions& options, std::unique_ptr<probe::Probe> probe,
                   std::unique_ptr<reader::FileReader> reader, bool cgroup_v1)
    : options_(options),
      probe_(std::move(probe)),
      tables_(probe_->table_memory()),
      directory_(cgroup_v1),
      catalog_(files_, tables_),
      symbol_files_(files_, catalog_, directory_, reader->program(), options.debuginfod),
      publisher_(*probe_, tables_, files_, catalog_, directory_, std::move(reader)),
      queue_(kQueuedBatches),
      aggregator_(
          queue_, symbol_files_, kernel_symbols_, symbolizer_limits(options.limits),
          [this](model::StackKey key) { probe_->delete_stack(key); },
          [this](const auto& codes) { probe_->delete_codes(codes); }) {}

// Looked up after the kernel began to follow forks: nobody is missed in between.
Result<std::vector<int32_t>> Engine::Impl::first_targets() {
  if (!options_.follow_children) return options_.only_pids;
  auto family = process::families(process::ProcFs(), options_.only_pids);
  for (const int32_t pid : family) {
    if (const auto added = probe_->add_target(pid); !added) return added.error();
  }
  return family;
}

Result<void> Engine::Impl::start() {
  auto side_band = probe::SideBand::open({});
  if (!side_band) return side_band.error();
  if (const auto attached = probe_->attach_process_events(); !attached) return attached.error();
  if (const auto attached = probe_->attach_usdt(options_.usdt); !attached) return attached.error();
  const auto targets = first_targets();
  if (!targets) return targets.error();
  collector_ = std::make_unique<Collector>(*probe_, std::move(*side_band), files_, publisher_,
                                           queue_, *targets, options_.follow_children);
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

void Engine::Impl::flush() {
  collector_->flush().wait_for(kFlushLimit);
}

EngineStatus Engine::Impl::stop() {
  probe_->stop_sampling();
  flush();
  return status();
}

std::string Engine::Impl::wait_for_debug_files(std::chrono::milliseconds limit) {
  symbol_files_.downloads().wait_idle(limit);
  return symbol_files_.downloads().trouble();
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
  auto probe =
      probe::Probe::load({options.limits, options.only_pids, cgroup_v1, options.time_identity,
                          !options.usdt.empty(), options.follow_children});
  if (!probe) return probe.error();
  auto impl = std::make_unique<Impl>(options, std::move(*probe), std::move(*reader), cgroup_v1);
  if (const auto started = impl->start(); !started) return started.error();
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

std::string Engine::wait_for_debug_files(std::chrono::milliseconds limit) {
  return impl_->wait_for_debug_files(limit);
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
