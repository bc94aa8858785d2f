// SPDX-License-Identifier: Apache-2.0
// pyebpf-bench --source DIR --build DIR [--quick] [--fleet] [--machine]: the project's goals next
// to what this machine measures. Needs root and takes under eight minutes (--quick: three).
// --fleet: only what a host full of other people's programs costs; --machine: only how whole the
// stacks of a host are that builds something. Asserts no time.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "tests/bench/fleet.h"
#include "tests/bench/footprint.h"
#include "tests/bench/machine.h"
#include "tests/bench/sampling_cost.h"
#include "tests/bench/slowdown.h"
#include "tests/bench/workload.h"
#include "userspace/base/clock.h"

namespace pyprof::bench {

namespace {

struct Options {
  Paths paths{".", "build"};
  bool quick = false;
  bool fleet = true;
  bool machine = true;
  bool service = true;
};

Result<Options> parse_arguments(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--quick") {
      options.quick = true;
    } else if (word == "--fleet") {
      options.service = options.machine = false;
    } else if (word == "--machine") {
      options.service = options.fleet = false;
    } else if (word == "--source" && i + 1 < argc) {
      options.paths.source = argv[++i];
    } else if (word == "--build" && i + 1 < argc) {
      options.paths.build = argv[++i];
    } else {
      return Error{
          "usage: pyebpf-bench [--source DIR] [--build DIR] [--quick] [--fleet] [--machine]"};
    }
  }
  return options;
}

// The version most figures of peers are of, else any.
const Interpreter& reference(const std::vector<Interpreter>& interpreters) {
  const auto found = std::find_if(interpreters.begin(), interpreters.end(), [](const auto& entry) {
    return entry.version.rfind("3.12.", 0) == 0;
  });
  return found != interpreters.end() ? *found : interpreters.front();
}

void report_machine(const CpuTimes& before, uint64_t start_ns, Figures& figures) {
  const auto after = cpu_times();
  const auto total = static_cast<double>(std::max<uint64_t>(1, after.total - before.total));
  utsname system{};
  ::uname(&system);
  figures.heading("The machine meanwhile");
  figures.add("stolen by the hypervisor",
              100 * static_cast<double>(after.steal - before.steal) / total, 1, "% of all CPU time",
              "",
              fmt::format("Linux {}, {} CPUs, workloads on CPU {}", system.release,
                          std::thread::hardware_concurrency(), workload_cpu()));
  figures.add("idle", 100 * static_cast<double>(after.idle - before.idle) / total, 1,
              "% of all CPU time");
  figures.add("length of the run", static_cast<double>(monotonic_ns() - start_ns) / 1e9, 0, "s");
}

Result<void> measure_service(const Options& options, Figures& figures) {
  const auto interpreters = choose_interpreters(options.paths);
  if (!interpreters) return interpreters.error();
  const auto& one = reference(*interpreters);
  if (const auto done = measure_footprint(options.paths, one, options.quick, figures); !done) {
    return done;
  }
  if (const auto done = measure_sampling_cost(options.paths, *interpreters, options.quick, figures);
      !done) {
    return done;
  }
  return measure_slowdown(options.paths, one, options.quick, figures);
}

Result<void> run(const Options& options) {
  if (::geteuid() != 0) return Error{"the benchmark needs root", ExitCode::kPermission};
  Figures figures(options.paths.build + "/figures.txt");
  const auto before = cpu_times();
  const uint64_t start_ns = monotonic_ns();
  leave_workload_cpu();
  if (options.service) {
    if (const auto done = measure_service(options, figures); !done) return done;
  }
  if (options.fleet) {
    if (const auto done = measure_fleet(options.paths, options.quick, figures); !done) return done;
  }
  if (options.machine) {
    if (const auto done = measure_machine(options.paths, options.quick, figures); !done)
      return done;
  }
  report_machine(before, start_ns, figures);
  figures.print();
  return {};
}

}  // namespace

}  // namespace pyprof::bench

int main(int argc, char** argv) {
  const auto options = pyprof::bench::parse_arguments(argc, argv);
  const auto done = options ? pyprof::bench::run(*options) : pyprof::Result<void>(options.error());
  if (done) return static_cast<int>(pyprof::ExitCode::kOk);
  fmt::print(stderr, "pyebpf-bench: {}\n", done.error().message);
  return static_cast<int>(done.error().code);
}
