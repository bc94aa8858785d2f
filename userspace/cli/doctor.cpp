// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/doctor.h"

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "userspace/aggregate/process_status.h"
#include "userspace/aggregate/summary.h"
#include "userspace/base/log.h"
#include "userspace/daemon/daemon.h"
#include "userspace/daemon/guard.h"
#include "userspace/daemon/known_processes.h"
#include "userspace/daemon/targets.h"
#include "userspace/export/writer.h"
#include "userspace/probe/kernel_checks.h"
#include "userspace/process/cgroup_paths.h"
#include "userspace/server/control_client.h"

namespace pyprof::cli {
namespace {

using probe::Check;
using State = Check::State;

constexpr uint64_t kPingTimeoutMs = 2000;

std::string_view state_text(State state) {
  switch (state) {
    case State::kOk:
      return "ok  ";
    case State::kWarn:
      return "warn";
    case State::kFail:
      break;
  }
  return "fail";
}

std::string line_of(const Check& check) {
  const std::string name = check.name == "btf" ? "BTF" : check.name;
  const std::string advice = check.advice.empty() ? "" : " (" + check.advice + ")";
  return log::sanitise(
             fmt::format("{} {}: {}{}", state_text(check.state), name, check.detail, advice)) +
         "\n";
}

Check check_cgroups(const process::ProcFs& proc) {
  const process::CgroupLayout layout = process::detect_cgroups(proc);
  switch (layout.mode) {
    case process::CgroupMode::kV2:
      return {"cgroups", State::kOk, "version 2 at " + layout.v2_mount, ""};
    case process::CgroupMode::kHybrid:
      return {"cgroups", State::kOk, "versions 1 and 2, version 2 at " + layout.v2_mount, ""};
    case process::CgroupMode::kV1:
      return {"cgroups", State::kOk, "version 1, CPU accounting at " + layout.cpuacct_mount, ""};
    case process::CgroupMode::kNone:
      break;
  }
  return {"cgroups", State::kWarn, "none are mounted",
          "mount cgroup2, or CPU time is not told apart by container"};
}

Check check_daemon(const config::Config& config) {
  const std::string& path = config.daemon.control_socket;
  auto client = server::ControlClient::connect(path);
  if (!client) return {"daemon", State::kWarn, client.error().message, "ask as root"};
  if (!client->has_value()) {
    return {"daemon", State::kOk, "not running; a snapshot samples by itself", ""};
  }
  server::ControlRequest ping;
  ping.verb = "ping";
  const auto answer = (*client)->call(ping, kPingTimeoutMs);
  if (!answer || !answer->ok) {
    return {"daemon", State::kWarn, "does not answer at " + path, "look at its log; restart it"};
  }
  return {"daemon", State::kOk, "running, pid " + answer->message + "; snapshots go through it",
          ""};
}

Check check_kill_switch(const config::Config& config) {
  const auto reason = daemon::kill_switch_reason(config.daemon.kill_switch);
  if (!reason) return {"kill switch", State::kOk, "not set", ""};
  return {"kill switch", State::kFail, *reason, "remove the file to allow profiling"};
}

std::string interpreter_text(const model::ProcessInfo& process) {
  const model::PythonDetails& python = process.python;
  const std::string& version = process.python_full_version;
  std::string text = fmt::format("CPython {}", version.empty() ? "of unknown version" : version);
  if (!python.build.empty()) text += fmt::format(" ({})", python.build);
  text += fmt::format(" in {}", python.image);
  if (python.route.empty()) return text;
  return text + fmt::format("; thread state by {}; code counter {}", python.route,
                            python.counter ? "yes" : "no");
}

Check check_stacks(const model::ProcessInfo& process) {
  const std::string name = fmt::format("process {} stacks", process.pid);
  const uint64_t samples = process.coverage.samples;
  if (samples == 0) {
    return {name, State::kOk, aggregate::status_text(process),
            "a daemon or a snapshot says how whole its stacks are"};
  }
  const bool ok = aggregate::judge(process).status == model::Status::kOk;
  return {name, ok ? State::kOk : State::kWarn,
          fmt::format("{}; {} of {} samples of the daemon's last window are whole",
                      aggregate::status_text(process),
                      aggregate::with_thousands(process.coverage.whole),
                      aggregate::with_thousands(samples)),
          ""};
}

std::vector<Check> check_python(const process::ProcFs& proc, int32_t pid,
                                const std::string& control_socket) {
  const std::string name = fmt::format("process {}", pid);
  auto python = daemon::PythonFinder(proc).find(pid);
  if (!python) return {{name, State::kFail, python.error().message, "run as root"}};
  model::ProcessInfo process;
  process.pid = pid;
  if (!*python) {
    daemon::add_known(daemon::ask_processes(control_socket), process);
    return {{name, State::kWarn, "runs no CPython", "it is profiled as native code"},
            check_stacks(process)};
  }
  process.python_full_version = std::move((*python)->version);
  process.python = std::move((*python)->details);
  daemon::add_known(daemon::ask_processes(control_socket), process);
  const std::string what = interpreter_text(process);
  if (aggregate::judge(process).status == model::Status::kUnsupported) {
    return {{name, State::kFail, what + "; " + aggregate::status_text(process),
             "it is profiled as native code"}};
  }
  if (!process.python.others.empty()) {
    return {{name, State::kWarn, what + "; " + process.python.others,
             "those are profiled as native code"},
            check_stacks(process)};
  }
  return {{name, State::kOk, what, ""}, check_stacks(process)};
}

// What rights would repair is told apart from what this machine can't do.
ExitCode judge(const std::vector<Check>& checks) {
  ExitCode code = ExitCode::kOk;
  for (const Check& check : checks) {
    if (check.state != State::kFail) continue;
    if (check.name == "capabilities") return ExitCode::kPermission;
    code = ExitCode::kNotSupported;
  }
  return code;
}

}  // namespace

Result<ExitCode> examine(const DoctorOptions& options) {
  const process::ProcFs proc;
  const auto config = daemon::load_config({options.config_path, {}, options.control_socket});
  if (!config) return config.error();
  if (options.pid) {
    if (const auto there = daemon::check_process(proc, *options.pid); !there) return there.error();
  }
  const auto features = probe::read_kernel_features();
  if (!features) return features.error();
  std::vector<Check> checks = probe::check_kernel(*features);
  checks.push_back(check_cgroups(proc));
  checks.push_back(check_kill_switch(*config));
  checks.push_back(check_daemon(*config));
  if (options.pid) {
    for (Check& check : check_python(proc, *options.pid, config->daemon.control_socket))
      checks.push_back(std::move(check));
  }
  std::string text;
  for (const Check& check : checks)
    text += line_of(check);
  const auto written = exporter::write_output("-", text);
  if (!written) return written.error();
  return judge(checks);
}

}  // namespace pyprof::cli
