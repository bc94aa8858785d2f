// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/sampling_cost.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <map>

#include "tests/bench/bpf_stats.h"
#include "tests/bench/profiles.h"
#include "tests/bench/workload.h"

namespace pyprof::bench {

namespace {

constexpr uint32_t kBaseRate = 99;
constexpr uint32_t kHighRate = 997;
constexpr auto kSampler = "on_cpu_tick";

struct Depth {
  const char* name;
  const char* script;  // relative to tests/
  std::vector<std::string> arguments;
  const char* goal;
  bool quick;  // also measured in a quick run
};

const std::vector<Depth>& depths() {
  static const std::string forever = "100000";
  static const char* const mix = "e2e/workloads/mix30.py";
  static const char* const deep = "bench/workloads/deep.py";
  static const std::vector<Depth> all = {
      {"8", mix, {"--depth", "2", "--seconds", forever}, "", false},
      {"30", mix, {"--depth", "7", "--seconds", forever}, "<= 5, then 4", true},
      {"100", deep, {"--depth", "100"}, "<= 8", false},
      {"400", deep, {"--depth", "400"}, "<= 18", true},
      {"1000", deep, {"--depth", "1000"}, "<= 36", false},
      {"1000, no C between", deep, {"--depth", "1000", "--every", "0"}, "<= 36", false},
  };
  return all;
}

struct Config {
  std::string what;
  std::string goal;
  Workload workload;
  uint32_t rate_hz;  // the highest it is measured at, besides kBaseRate
};

struct Window {
  ProgramRun run;
  uint64_t samples = 0;
};

struct Readings {
  std::vector<Window> windows;
  StackShape shape;
  uint64_t ticks = 0;
  uint64_t stacks = 0;
  uint64_t bytes = 0;
};

struct Counted {
  ProgramRun run;
  engine::EngineStatus status;
};

Result<Counted> count(engine::Engine& engine) {
  const auto run = program_run(kSampler);
  if (!run) return run.error();
  return Counted{*run, engine.status()};
}

class Section {
 public:
  Section(Figures& figures, bool quick) : figures_(figures), quick_(quick) {}

  Result<void> add_python(const Paths& paths, const Interpreter& interpreter);
  Result<void> add_native(const Paths& paths);
  Result<void> run();
  Result<void> run_identities();

 private:
  Result<std::unique_ptr<engine::Engine>> start(bool time_identity);
  Result<void> cheap_ticks(engine::Engine& engine, uint32_t rate_hz);
  Result<void> window(engine::Engine& engine, const Config& config, uint32_t rate_hz);
  Result<void> round(engine::Engine& engine, uint32_t rate_hz);
  Result<void> identities(engine::Engine& engine, const Config& config);
  [[nodiscard]] std::vector<double> us_per_sample(uint32_t rate_hz, const Readings& readings) const;
  void report();
  void report(const Config& config, uint32_t rate_hz, const Readings& readings);

  Figures& figures_;
  const bool quick_;
  std::list<Config> configs_;
  std::map<uint32_t, std::vector<double>> cheap_ns_;
  std::map<const Config*, std::map<uint32_t, Readings>> readings_;  // by rate
};

Result<void> Section::add_python(const Paths& paths, const Interpreter& interpreter) {
  for (const auto& depth : depths()) {
    if (quick_ && !depth.quick) continue;
    const auto command =
        python_command(interpreter, paths.source + "/tests/" + depth.script, depth.arguments);
    if (!command) return command.error();
    auto workload = Workload::start(*command);
    if (!workload) return workload.error();
    workload->pause();
    const bool high = std::string_view(depth.name) == "30";
    configs_.push_back({fmt::format("{} depth {}", interpreter.version, depth.name), depth.goal,
                        std::move(*workload), high ? kHighRate : kBaseRate});
  }
  return {};
}

Result<void> Section::add_native(const Paths& paths) {
  auto workload = Workload::start({paths.build + "/bench-native", "30"});
  if (!workload) return workload.error();
  workload->pause();
  configs_.push_back({"native program depth 30", "", std::move(*workload), kBaseRate});
  return {};
}

Result<std::unique_ptr<engine::Engine>> Section::start(bool time_identity) {
  engine::EngineOptions options;
  options.sampling.rate_hz = kBaseRate;
  options.time_identity = time_identity;
  options.tool_version = "bench";
  for (const auto& config : configs_)
    options.only_pids.push_back(config.workload.pid());
  return engine::Engine::start(options);
}

// Ticks that sample nothing, with every workload stopped.
Result<void> Section::cheap_ticks(engine::Engine& engine, uint32_t rate_hz) {
  const auto before = count(engine);
  if (!before) return before.error();
  sleep_ms(quick_ || rate_hz > kBaseRate ? 300 : 800);
  const auto after = count(engine);
  if (!after) return after.error();
  const auto run = after->run - before->run;
  const double ns =
      static_cast<double>(run.run_ns) / static_cast<double>(std::max<uint64_t>(1, run.runs));
  cheap_ns_[rate_hz].push_back(ns);
  return {};
}

Result<void> Section::window(engine::Engine& engine, const Config& config, uint32_t rate_hz) {
  config.workload.resume();
  const auto before = count(engine);
  if (!before) return before.error();
  const uint32_t milliseconds = (rate_hz > kBaseRate ? 1000 : 2000) / (quick_ ? 2 : 1);
  const auto profile = take_profile(engine, {config.workload.pid()}, rate_hz, milliseconds);
  if (!profile) return profile.error();
  const auto after = count(engine);
  if (!after) return after.error();
  config.workload.pause();
  const auto ticks = outcome(after->status, "tick") - outcome(before->status, "tick");
  const auto stacks = outcome(after->status, "stack") - outcome(before->status, "stack");
  if (ticks + stacks == 0) return Error{config.what + ": no samples", ExitCode::kNoSamples};
  auto& readings = readings_[&config][rate_hz];
  readings.windows.push_back({after->run - before->run, ticks + stacks});
  readings.shape = stack_shape(*profile);
  readings.ticks += ticks;
  readings.stacks += stacks;
  readings.bytes += after->status.stack_bytes + after->status.tick_bytes -
                    before->status.stack_bytes - before->status.tick_bytes;
  return {};
}

Result<void> Section::round(engine::Engine& engine, uint32_t rate_hz) {
  config::Sampling sampling;
  sampling.rate_hz = rate_hz;
  if (const auto set = engine.reconfigure(sampling); !set) return set.error();
  if (const auto cheap = cheap_ticks(engine, rate_hz); !cheap) return cheap.error();
  for (const auto& config : configs_) {
    if (config.rate_hz < rate_hz) continue;
    if (const auto done = window(engine, config, rate_hz); !done) return done.error();
  }
  return {};
}

Result<void> Section::run() {
  const auto stats = BpfStats::enable();
  if (!stats) return stats.error();
  const auto engine = start(false);
  if (!engine) return engine.error();
  for (int i = 0; i < (quick_ ? 2 : 3); ++i) {
    for (const uint32_t rate_hz : {kBaseRate, kHighRate}) {
      if (const auto done = round(**engine, rate_hz); !done) return done.error();
    }
  }
  report();
  const auto status = (*engine)->status();
  figures_.add("code objects captured", static_cast<double>(status.code_records), 0, "", "",
               fmt::format("{} processes", configs_.size()));
  return {};
}

void Section::report() {
  figures_.heading("Kernel time per sample, one workload at a time on its CPU");
  for (const auto& config : configs_) {
    for (const auto& [rate_hz, readings] : readings_[&config])
      report(config, rate_hz, readings);
  }
  for (const auto& [rate_hz, values] : cheap_ns_) {
    figures_.add(fmt::format("tick that samples nothing, {} Hz", rate_hz), spread(values), 0, "ns",
                 "", "idle CPU or other process; the median is taken off above for each of them");
  }
}

std::vector<double> Section::us_per_sample(uint32_t rate_hz, const Readings& readings) const {
  const double cheap_ns = spread(cheap_ns_.at(rate_hz)).median;
  std::vector<double> us;
  for (const auto& window : readings.windows) {
    const auto samples = static_cast<double>(window.samples);
    const double others_ns = cheap_ns * (static_cast<double>(window.run.runs) - samples);
    us.push_back((static_cast<double>(window.run.run_ns) - others_ns) / samples / 1000);
  }
  return us;
}

void Section::report(const Config& config, uint32_t rate_hz, const Readings& readings) {
  const auto samples = static_cast<double>(readings.ticks + readings.stacks);
  const auto note = fmt::format(
      "{:.1f} python + {:.1f} native frames, {:.1f} % to the root, {:.0f} bytes/sample, {:.1f} % "
      "ticks, n={:.0f}",
      readings.shape.python_frames, readings.shape.native_frames, readings.shape.rooted_percent,
      static_cast<double>(readings.bytes) / samples,
      100 * static_cast<double>(readings.ticks) / samples, samples);
  figures_.add(fmt::format("{}, {} Hz", config.what, rate_hz),
               spread(us_per_sample(rate_hz, readings)), 2, "us", config.goal, note);
}

Result<void> Section::identities(engine::Engine& engine, const Config& config) {
  config.workload.resume();
  sleep_ms(300);
  const auto before = engine.status();
  sleep_ms(quick_ ? 500 : 2000);
  const auto after = engine.status();
  config.workload.pause();
  const auto samples = static_cast<double>(std::max<uint64_t>(1, sampled(after) - sampled(before)));
  const auto per_sample = [&](uint64_t a, uint64_t b) {
    return static_cast<double>(a - b) / samples;
  };
  figures_.add(config.what + ", identities", per_sample(after.identity_ns, before.identity_ns), 0,
               "ns", "",
               fmt::format("per sample; {:.2f} code objects looked at per sample",
                           per_sample(after.identity_checks, before.identity_checks)));
  return {};
}

// In an engine of its own: reading the clock costs, too.
Result<void> Section::run_identities() {
  const auto engine = start(true);
  if (!engine) return engine.error();
  figures_.heading("Kernel time spent on code identities, 99 Hz, after the first 0.3 s");
  for (const auto& config : configs_) {
    const bool at_depth_30 = config.rate_hz == kHighRate;
    if (!at_depth_30) continue;
    if (const auto done = identities(**engine, config); !done) return done.error();
  }
  return {};
}

}  // namespace

Result<void> measure_sampling_cost(const Paths& paths, const std::vector<Interpreter>& interpreters,
                                   bool quick, Figures& figures) {
  Section section(figures, quick);
  for (const auto& interpreter : interpreters) {
    if (const auto added = section.add_python(paths, interpreter); !added) return added.error();
  }
  if (const auto added = section.add_native(paths); !added) return added.error();
  if (const auto done = section.run(); !done) return done.error();
  return section.run_identities();
}

}  // namespace pyprof::bench
