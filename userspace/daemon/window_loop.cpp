// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/window_loop.h"

#include <algorithm>
#include <chrono>

#include "userspace/aggregate/summary.h"
#include "userspace/base/log.h"

namespace pyprof::daemon {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr uint64_t kWarningIntervalNs = 60 * kNsPerSecond;
constexpr std::chrono::milliseconds kPauseStep{50};
constexpr int kPauseSteps = 20;

}  // namespace

WindowLoop::WindowLoop(engine::Engine& engine, const config::Config& config)
    : engine_(engine),
      rate_hz_(config.sampling.rate_hz),
      window_seconds_(config.daemon.window_seconds),
      thread_([this] { run(); }) {}

void WindowLoop::reconfigure(const config::Config& config) {
  rate_hz_ = config.sampling.rate_hz;
  window_seconds_ = config.daemon.window_seconds;
}

void WindowLoop::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

WindowSums WindowLoop::sums() const {
  const std::lock_guard lock(mutex_);
  return sums_;
}

void WindowLoop::run() {
  log::RateLimit failures(kWarningIntervalNs);
  while (!stopping_) {
    const engine::SnapshotRequest request{{}, window_seconds_ * kNsPerSecond, rate_hz_};
    const auto profile = engine_.snapshot(request, [this] { return stopping_.load(); });
    if (profile) {
      add(*profile);
    } else {
      log::limited_warning(failures, "the window is lost: " + profile.error().message);
      pause();
    }
  }
}

// A failure that comes at once must not make a busy loop.
void WindowLoop::pause() const {
  for (int i = 0; i < kPauseSteps && !stopping_; ++i)
    std::this_thread::sleep_for(kPauseStep);
}

void WindowLoop::add(const model::Profile& profile) {
  const aggregate::Summary summary = aggregate::summarize(profile);
  const model::Quality& quality = profile.quality;
  {
    const std::lock_guard lock(mutex_);
    sums_.samples += summary.samples;
    sums_.truncated +=
        std::min(summary.samples, quality.truncated_native + quality.truncated_python);
    sums_.truncated_native += quality.truncated_native;
    sums_.truncated_python += quality.truncated_python;
  }
  log::debug("window of {:.1f} s: {} processes, {} samples, {}",
             aggregate::seconds(profile.duration_ns), profile.processes.size(), summary.samples,
             aggregate::quality_text(profile));
}

}  // namespace pyprof::daemon
