// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/footprint.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <fstream>

#include "tests/bench/bpf_stats.h"
#include "tests/bench/profiles.h"
#include "tests/bench/workload.h"
#include "userspace/base/clock.h"
#include "userspace/probe/loader.h"

namespace pyprof::bench {

namespace {

constexpr uint32_t kRate = 99;
constexpr uint32_t kFirstWindowMs = 15;
constexpr int kStartTries = 400;

double ms_since(uint64_t start_ns) {
  return static_cast<double>(monotonic_ns() - start_ns) / 1e6;
}

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// A line of /proc/self/status in MB.
double memory_mb(const std::string& key) {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind(key + ":", 0) == 0) return std::stod(line.substr(key.size() + 1)) / 1024;
  }
  return 0;
}

engine::EngineOptions whole_host() {
  engine::EngineOptions options;
  options.sampling.rate_hz = kRate;
  options.tool_version = "bench";
  return options;
}

// Until a profile has a stack that reaches the module.
Result<double> first_sample_ms(engine::Engine& engine, int32_t pid, uint64_t start_ns) {
  for (int i = 0; i < kStartTries; ++i) {
    const auto profile = take_profile(engine, {pid}, kRate, kFirstWindowMs);
    if (!profile) return profile.error();
    if (stack_shape(*profile).rooted_percent > 0) return ms_since(start_ns);
  }
  return Error{"no whole stack of the workload was sampled", ExitCode::kNoSamples};
}

Result<void> measure_load(int rounds, Figures& figures) {
  std::vector<double> ms;
  uint64_t verified = 0;
  for (int i = 0; i < rounds; ++i) {
    const uint64_t start_ns = monotonic_ns();
    const auto probe = probe::Probe::load({});
    if (!probe) return probe.error();
    if (const auto loaded = (*probe)->wait_programs(); !loaded) return loaded;
    ms.push_back(ms_since(start_ns));
    verified = verified_instructions();
  }
  figures.add("loading the BPF programs", spread(ms), 0, "ms", "",
              fmt::format("maps, verifier, JIT; {} instructions verified", verified));
  return {};
}

Result<void> measure_start(int32_t pid, int rounds, Figures& figures) {
  std::vector<double> start_ms, first_ms, cpu_ms;
  for (int i = 0; i < rounds; ++i) {
    const double cpu_before = own_cpu_seconds();
    const uint64_t start_ns = monotonic_ns();
    const auto engine = engine::Engine::start(whole_host());
    if (!engine) return engine.error();
    start_ms.push_back(ms_since(start_ns));
    const auto first = first_sample_ms(**engine, pid, start_ns);
    if (!first) return first.error();
    first_ms.push_back(*first);
    cpu_ms.push_back((own_cpu_seconds() - cpu_before) * 1000);
  }
  figures.add("start of the engine", spread(start_ms), 0, "ms");
  figures.add("start to first whole sample", spread(first_ms), 0, "ms", "<= 500",
              "symbolized, in a profile, <module> reached");
  figures.add("CPU time until then", spread(cpu_ms), 0, "ms");
  return {};
}

Result<void> measure_cpu(engine::Engine& engine, bool quick, Figures& figures) {
  std::vector<double> percent;
  const uint32_t window_ms = quick ? 2500 : 5000;
  for (int i = 0; i < (quick ? 2 : 3); ++i) {
    const double cpu_before = own_cpu_seconds();
    const uint64_t start_ns = monotonic_ns();
    const auto profile = take_profile(engine, {}, kRate, window_ms);
    if (!profile) return profile.error();
    percent.push_back(100'000 * (own_cpu_seconds() - cpu_before) / ms_since(start_ns));
  }
  figures.add(
      "CPU of the service", spread(percent), 2, "% of a core", "<= 0.5",
      fmt::format("99 Hz, one busy core, {} ms windows, each made into a profile", window_ms));
  return {};
}

void report_memory(engine::Engine& engine, Figures& figures) {
  const auto status = engine.status();
  figures.add(
      "RSS", memory_mb("VmRSS"), 1, "MB", "<= 30",
      fmt::format("{:.1f} anonymous, {:.1f} of files; peak {:.1f}; {} processes on the host",
                  memory_mb("RssAnon"), memory_mb("RssFile"), memory_mb("VmHWM"),
                  status.processes));
  figures.add("BPF maps", static_cast<double>(map_bytes(status)) / 1e6, 1, "MB", "<= 24",
              fmt::format("{} maps", status.maps.size()));
}

Result<void> report_switches(const ProgramRun& before, Figures& figures) {
  const auto now = program_run("on_sched_switch");
  if (!now) return now.error();
  const auto run = *now - before;
  if (run.runs == 0) return {};
  figures.add("context switch", static_cast<double>(run.run_ns) / static_cast<double>(run.runs), 0,
              "ns", "", fmt::format("on_sched_switch, whole host, n={}", run.runs));
  return {};
}

Result<void> measure_running(bool quick, Figures& figures) {
  const auto stats = BpfStats::enable();
  if (!stats) return stats.error();
  const auto engine = engine::Engine::start(whole_host());
  if (!engine) return engine.error();
  sleep_ms(1000);
  const auto switches = program_run("on_sched_switch");
  if (!switches) return switches.error();
  if (const auto done = measure_cpu(**engine, quick, figures); !done) return done;
  report_memory(**engine, figures);
  return report_switches(*switches, figures);
}

}  // namespace

Result<void> measure_footprint(const Paths& paths, const Interpreter& interpreter, bool quick,
                               Figures& figures) {
  const auto command = python_command(interpreter, paths.source + "/tests/e2e/workloads/mix30.py",
                                      {"--depth", "7", "--seconds", "100000"});
  if (!command) return command.error();
  const auto workload = Workload::start(*command);
  if (!workload) return workload.error();
  figures.heading("The service, with CPython " + interpreter.version + " busy on one core");
  if (const auto done = measure_running(quick, figures); !done) return done;
  if (const auto done = measure_start(workload->pid(), quick ? 2 : 5, figures); !done) return done;
  return measure_load(quick ? 1 : 3, figures);
}

}  // namespace pyprof::bench
