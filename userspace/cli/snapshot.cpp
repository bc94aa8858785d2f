// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/snapshot.h"

#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "userspace/base/log.h"
#include "userspace/cli/outputs.h"
#include "userspace/cli/sampling.h"
#include "userspace/cli/usdt.h"
#include "userspace/daemon/guard.h"
#include "userspace/daemon/targets.h"

namespace pyprof::cli {
namespace {

constexpr double kDefaultDurationS = 10;
constexpr double kCommandDurationS = 86'400;  // a command is profiled as long as it runs

double duration_of(const SnapshotOptions& options) {
  return options.duration_s.value_or(options.command.empty() ? kDefaultDurationS
                                                             : kCommandDurationS);
}

Result<void> check_targets(const process::ProcFs& proc, const std::vector<int32_t>& pids) {
  for (const int32_t pid : pids) {
    if (const auto there = daemon::check_process(proc, pid); !there) return there;
  }
  return {};
}

// What an option asks of the processes themselves; reading their files may need privileges.
Result<void> check_python(const process::ProcFs& proc, const SnapshotOptions& options) {
  if (!options.python_only && !options.gil) return {};
  return daemon::require_python(proc, options.pids, options.gil ? "-g/--gil" : "--python-only");
}

daemon::SnapshotJob to_job(const SnapshotOptions& options, const std::vector<Output>& outputs) {
  daemon::SnapshotJob job;
  job.pids = options.pids;
  job.follow_children = options.subprocesses || !options.command.empty();
  // A millisecond is the least that the control socket can say.
  job.duration_ns = static_cast<uint64_t>(std::ceil(duration_of(options) * 1e3)) * 1'000'000;
  job.rate_hz = options.rate_hz;
  job.render.formats = formats_of(outputs);
  job.render.threads = options.threads;
  job.render.native = options.native;
  job.render.python_only = options.python_only;
  job.render.full_paths = options.full_filenames;
  job.render.limit = options.limit;
  job.render.max_tokens = options.max_tokens;
  job.render.prompt = options.with_prompt;
  job.render.lines = options.lines;
  job.render.table = options.table;
  job.render.gil = options.gil;
  job.render.by = options.by;
  return job;
}

Result<std::optional<server::ControlClient>> find_daemon(const SnapshotOptions& options,
                                                         const std::string& control_socket) {
  // A daemon does not know who is whose child. A command's are left out where only the daemon may
  // sample.
  const bool family = options.subprocesses || (!options.command.empty() && ::geteuid() == 0);
  if (options.no_daemon || family) return std::optional<server::ControlClient>();
  return server::ControlClient::connect(control_socket);
}

// Of a command it is no news that it has ended: then only the closing line is shown.
Result<void> finish(const daemon::SnapshotResult& result, const std::vector<Output>& outputs,
                    bool of_command) {
  const auto written = write_outputs(outputs, result.outputs);
  if (!written) return written;
  const std::size_t last_line = result.message.rfind('\n') + 1;
  std::fprintf(stderr, "%s\n", result.message.c_str() + (of_command ? last_line : 0));
  return {};
}

}  // namespace

Result<void> take_snapshot(const SnapshotOptions& options) {
  const auto outputs = plan_outputs(options.outputs, options.format);
  if (!outputs) return outputs.error();
  const process::ProcFs proc;
  if (const auto there = check_targets(proc, options.pids); !there) return there;
  if (const auto good = check_writable(*outputs); !good) return good;
  const auto config = daemon::load_config({options.config_path, {}, options.control_socket});
  if (!config) return config.error();
  auto client = find_daemon(options, config->daemon.control_socket);
  if (!client) return client.error();
  if (!client->has_value()) {
    const auto allowed = daemon::check_host(config->daemon.kill_switch);
    if (!allowed) return allowed;
  }
  if (const auto python = check_python(proc, options); !python) return python;
  if (options.usdt && client->has_value()) {
    return Error{"the daemon attaches to no USDT probes; add --no-daemon, or leave out --usdt"};
  }
  auto usdt = options.usdt ? plan_usdt(options.pids) : UsdtPlan{};
  if (!usdt) return usdt.error();
  const auto signals = daemon::Signals::open({SIGINT, SIGTERM});
  if (!signals) return signals.error();

  daemon::SnapshotJob job = to_job(options, *outputs);
  std::optional<Command> command;
  if (!options.command.empty()) {
    auto prepared = Command::prepare(options.command);
    if (!prepared) return prepared.error();
    command.emplace(*std::move(prepared));
    job.pids = {command->pid()};
  }
  log::set_up(log::Level::kWarning);
  Watch watch(*signals, command, job.duration_ns, ::isatty(STDERR_FILENO) == 1);
  const auto result = client->has_value() ? sample_by_daemon(job, **std::move(client),
                                                             config->daemon.control_socket, watch)
                                          : sample_here(job, usdt->points, *config, watch);
  watch.clear_progress();
  if (watch.failure()) return *watch.failure();
  if (!result) return result.error();
  return finish(*result, *outputs, command.has_value());
}

}  // namespace pyprof::cli
