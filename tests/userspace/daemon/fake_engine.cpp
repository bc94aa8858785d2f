// SPDX-License-Identifier: Apache-2.0
#include "tests/userspace/daemon/fake_engine.h"

#include <chrono>
#include <thread>

#include "userspace/base/clock.h"

namespace pyprof::testing {

std::atomic<bool> FakeEngine::idle{false};
std::atomic<int> FakeEngine::snapshots{0};
std::vector<model::ProcessInfo> FakeEngine::known_processes;
std::atomic<uint32_t> FakeEngine::last_rate_hz{0};

std::unique_ptr<engine::Engine> FakeEngine::make() {
  auto engine = engine::Engine::start({});
  return *std::move(engine);
}

model::Profile two_stacks() {
  model::Profile profile;
  profile.duration_ns = 1'000'000'000;
  profile.rate_hz = 99;
  profile.event = "cpu-clock";
  model::ProcessInfo process;
  process.pid = 42;
  process.comm = "python3";
  profile.processes = {process};
  profile.threads = {{0, 42, "python3", "MainThread", 0}};
  profile.frames = {{model::FrameKind::kPython, "main", "/app/main.py", 3, 1, 0, 0},
                    {model::FrameKind::kPython, "work", "/app/main.py", 9, 8, 0, 0}};
  profile.stacks = {{{0}}, {{1, 0}}};
  profile.samples = {{0, 0, 10, 100}, {0, 1, 30, 300}};
  profile.quality.samples = 40;
  profile.quality.truncated_native = 4;
  profile.quality.truncated_python = 1;
  return profile;
}

}  // namespace pyprof::testing

namespace pyprof::engine {

class Engine::Impl {};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::start(const EngineOptions&) {
  return std::unique_ptr<Engine>(new Engine(std::make_unique<Impl>()));
}

Result<model::Profile> Engine::snapshot(const SnapshotRequest& request,
                                        const std::function<bool()>& cancelled) {
  testing::FakeEngine::last_rate_hz = request.rate_hz;
  const uint64_t end_ns = monotonic_ns() + request.duration_ns;
  while (monotonic_ns() < end_ns && !cancelled())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ++testing::FakeEngine::snapshots;
  auto profile = testing::two_stacks();
  if (testing::FakeEngine::idle) profile.samples.clear();
  return profile;
}

EngineStatus Engine::status() {
  return {};
}

std::vector<model::ProcessInfo> Engine::known_processes() const {
  return testing::FakeEngine::known_processes;
}

EngineStatus Engine::stop() {
  return status();
}

Result<void> Engine::reconfigure(const config::Sampling&) {
  return {};
}

}  // namespace pyprof::engine
