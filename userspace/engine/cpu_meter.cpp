// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/cpu_meter.h"

#include <set>

#include "userspace/base/clock.h"

namespace pyprof::engine {

namespace {

// A thread is charged at a context switch or, late by at most this, by the slow tick.
constexpr uint64_t kSlowTickNs = 110'000'000;

}  // namespace

CpuMeter::CpuMeter(probe::Probe& probe, account::Resolver& resolver,
                   const account::AccountantLimits& limits, TakeCounts take_counts)
    : probe_(probe),
      take_counts_(std::move(take_counts)),
      accountant_(resolver, limits),
      last_drain_ns_(monotonic_ns()),
      thread_([this] { run(); }) {}

CpuMeter::~CpuMeter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void CpuMeter::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    wake_.wait_for(lock, std::chrono::seconds(1));
    drain();
  }
}

void CpuMeter::drain() {
  const uint64_t now_ns = monotonic_ns();
  account::Interval interval{now_ns, now_ns - last_drain_ns_ + kSlowTickNs, probe_.online_cpus()};
  last_drain_ns_ = now_ns;
  std::vector<account::CpuDelta> deltas;
  for (auto& time : probe_.drain_cpu_times()) {
    deltas.push_back(
        {time.process, time.pid, time.tid, time.cgroup_id, time.ns, std::move(time.comm)});
  }
  accountant_.add(deltas, interval);
  for (const auto& [process, count] : take_counts_()) {
    accountant_.add_samples(process, count, now_ns);
  }
}

uint64_t CpuMeter::open_window(const std::vector<int32_t>& pids) {
  const std::lock_guard lock(mutex_);
  drain();
  return accountant_.windows().open(std::set<int32_t>(pids.begin(), pids.end())).value_or(0);
}

account::WindowCpu CpuMeter::close_window(uint64_t id) {
  const std::lock_guard lock(mutex_);
  drain();
  return accountant_.windows().close(id);
}

account::Totals CpuMeter::totals() {
  const std::lock_guard lock(mutex_);
  return accountant_.totals();
}

}  // namespace pyprof::engine
