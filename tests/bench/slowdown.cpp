// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/slowdown.h"

#include <fmt/format.h>

#include "tests/bench/bpf_stats.h"
#include "tests/bench/profiles.h"
#include "tests/bench/workload.h"
#include "userspace/base/clock.h"

namespace pyprof::bench {

namespace {

constexpr uint32_t kSettleMs = 150;

// Units of work.
struct Speed {
  double per_cpu_second = 0;
  double per_wall_second = 0;
  double sampler_percent = 0;  // of the time, as the kernel measured its program, over all CPUs
};

Speed measure_speed(const Workload& workload, const WorkCounter& counter, uint32_t window_ms) {
  const uint64_t done = counter.done(), cpu_ns = workload.cpu_ns(), wall_ns = monotonic_ns();
  sleep_ms(window_ms);
  const auto units = static_cast<double>(counter.done() - done);
  return {1e9 * units / static_cast<double>(workload.cpu_ns() - cpu_ns),
          1e9 * units / static_cast<double>(monotonic_ns() - wall_ns)};
}

Result<Speed> profiled_speed(const Workload& workload, const WorkCounter& counter, uint32_t rate_hz,
                             uint32_t window_ms) {
  engine::EngineOptions options;
  options.sampling.rate_hz = rate_hz;
  options.tool_version = "bench";
  const auto engine = engine::Engine::start(options);
  if (!engine) return engine.error();
  sleep_ms(kSettleMs);
  const auto before = program_run("on_cpu_tick");
  const auto status = (*engine)->status();
  const uint64_t start_ns = monotonic_ns();
  auto speed = measure_speed(workload, counter, window_ms);
  const auto after = program_run("on_cpu_tick");
  if (!before || !after) return Error{"the sampler is gone", ExitCode::kNotSupported};
  if (sampled((*engine)->status()) == sampled(status)) {
    return Error{"the loop was not sampled", ExitCode::kNoSamples};
  }
  speed.sampler_percent = 100 * static_cast<double>((*after - *before).run_ns) /
                          static_cast<double>(monotonic_ns() - start_ns);
  return speed;
}

double slowdown_percent(double before, double with, double after) {
  return 100 * (1 - with / ((before + after) / 2));
}

Result<void> compare(const Workload& workload, const WorkCounter& counter, uint32_t rate_hz,
                     bool quick, Figures& figures) {
  const uint32_t window_ms = quick ? 500 : 1000;
  std::vector<double> cpu, wall, sampler, noise;
  Speed before = measure_speed(workload, counter, window_ms);
  for (int i = 0; i < (quick ? 2 : 9); ++i) {
    const auto with = profiled_speed(workload, counter, rate_hz, window_ms);
    if (!with) return with.error();
    sleep_ms(kSettleMs);
    const Speed after = measure_speed(workload, counter, window_ms);
    cpu.push_back(
        slowdown_percent(before.per_cpu_second, with->per_cpu_second, after.per_cpu_second));
    wall.push_back(
        slowdown_percent(before.per_wall_second, with->per_wall_second, after.per_wall_second));
    sampler.push_back(with->sampler_percent);
    noise.push_back(100 * (after.per_cpu_second / before.per_cpu_second - 1));
    before = after;
  }
  const std::string goal = rate_hz == 99 ? "<= 0.5" : "<= 3";
  const auto note = fmt::format("noise: base to next base {} %", text(spread(noise), 2));
  figures.add(fmt::format("slow-down per CPU second, {} Hz", rate_hz), spread(cpu), 2, "%", goal,
              note);
  figures.add(fmt::format("slow-down per wall second, {} Hz", rate_hz), spread(wall), 2, "%", goal);
  figures.add(fmt::format("sampler's programs, {} Hz", rate_hz), spread(sampler), 3, "% of a core",
              "", "bpf_stats, all CPUs together; without the interrupt around it");
  return {};
}

}  // namespace

Result<void> measure_slowdown(const Paths& paths, const Interpreter& interpreter, bool quick,
                              Figures& figures) {
  const auto counter = WorkCounter::make();
  if (!counter) return counter.error();
  const auto command = python_command(interpreter, paths.source + "/tests/bench/workloads/loop.py",
                                      {std::to_string(counter->fd())});
  if (!command) return command.error();
  const auto workload = Workload::start(*command, counter->fd());
  if (!workload) return workload.error();
  const auto stats = BpfStats::enable();
  if (!stats) return stats.error();
  figures.heading("Slow-down of a CPU-bound loop, CPython " + interpreter.version);
  for (const uint32_t rate_hz : {99u, 1000u}) {
    const auto done = compare(*workload, *counter, rate_hz, quick, figures);
    if (!done) return done.error();
  }
  return {};
}

}  // namespace pyprof::bench
