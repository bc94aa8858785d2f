// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/sampling.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "userspace/base/clock.h"
#include "userspace/daemon/debug_files.h"
#include "userspace/daemon/version.h"

namespace pyprof::cli {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr uint64_t kNsPerMs = 1'000'000;
constexpr uint64_t kAnswerMarginMs = 60'000;  // for rendering, beyond the sampling itself
constexpr uint64_t kFinishTimeoutMs = 2'000;
constexpr uint64_t kLookNs = kNsPerSecond;
constexpr std::chrono::milliseconds kMaxDownload(60'000);

server::ControlRequest to_request(const daemon::SnapshotJob& job) {
  server::ControlRequest request;
  request.verb = "snapshot";
  request.pids = job.pids;
  request.all = job.pids.empty();
  request.duration_ms = job.duration_ns / kNsPerMs;
  request.rate_hz = job.rate_hz;
  request.format = daemon::encode_formats(job.render);
  request.threads = job.render.threads;
  request.native = job.render.native;
  request.python_only = job.render.python_only;
  request.gil = job.render.gil;
  request.by = aggregate::group_name(job.render.by);
  // A name that no other snapshot has, to end this one by.
  request.title = fmt::format("{}-{}", ::getpid(), monotonic_ns());
  return request;
}

// Asks the daemon to end the snapshot now. If that fails the snapshot just takes its time.
void ask_to_finish(const std::string& control_socket, const std::string& title) {
  auto client = server::ControlClient::connect(control_socket);
  if (!client || !client->has_value()) return;
  server::ControlRequest request;
  request.verb = "finish";
  request.title = title;
  static_cast<void>((*client)->call(request, kFinishTimeoutMs).ok());
}

// Of what runs now, so that the profile has its names. Of a command nothing is known yet.
void fetch_debug_files(engine::Engine& engine, const daemon::SnapshotJob& job) {
  static_cast<void>(engine.snapshot({job.pids, kLookNs, job.rate_hz, false}, [] { return false; }));
  const std::string trouble = engine.wait_for_debug_files(kMaxDownload);
  if (!trouble.empty()) fmt::print(stderr, "pyebpf-prof: no debug files: {}\n", trouble);
}

Watch::Counts counts_of(const engine::EngineStatus& status) {
  Watch::Counts counts{status.delivered, status.queue_dropped};
  for (const auto& [label, count] : status.outcomes)
    if (label.starts_with("lost")) counts.lost += count;
  return counts;
}

}  // namespace

void Watch::start() {
  start_ns_ = monotonic_ns();
  if (!command_) return;
  if (const auto released = command_->release(); !released) failure_ = released.error();
}

bool Watch::over() {
  if (start_ns_ == 0) start();
  if (failure_) return true;
  if (signals_.next(0)) ++signals_seen_;
  if (show_progress_) show_progress();
  return signals_seen_ > 0 || (command_ && command_->has_ended());
}

void Watch::show_progress() {
  const uint64_t now_s = (monotonic_ns() - start_ns_) / kNsPerSecond;
  if (now_s == shown_s_) return;
  shown_s_ = now_s;
  std::string line = fmt::format("\rsampling, {} s", now_s);
  if (!command_) {
    line =
        fmt::format("\rsampling, {} of {:.0f} s", now_s, static_cast<double>(duration_ns_) / 1e9);
  }
  if (counts_) {
    const Counts counts = counts_();
    line += fmt::format(", {} samples, {} lost", counts.samples, counts.lost);
  }
  line += "; Ctrl-C ends it early";
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

void Watch::clear_progress() const {
  if (shown_s_ != UINT64_MAX) std::fputs("\r\x1b[K", stderr);
}

Result<daemon::SnapshotResult> sample_here(const daemon::SnapshotJob& job,
                                           std::vector<model::UsdtPoint> usdt,
                                           const config::Config& config, Watch& watch) {
  engine::EngineOptions options;
  options.sampling = config.sampling;
  options.sampling.rate_hz = job.rate_hz;
  options.limits = config.limits;
  options.metrics = config.metrics;
  options.only_pids = job.pids;
  options.follow_children = job.follow_children;
  options.usdt = std::move(usdt);
  // Used where a daemon has made it: a snapshot alone leaves nothing on the disk.
  const std::string tables = config.daemon.state_dir + "/tables";
  if (::access(tables.c_str(), W_OK) == 0) options.table_cache = tables;
  options.tool_version = daemon::tool_version();
  auto debuginfod = daemon::debuginfod_options(config);
  if (!debuginfod) return debuginfod.error();
  options.debuginfod = *std::move(debuginfod);
  auto engine = engine::Engine::start(options);
  if (!engine) return engine.error();
  if (!options.debuginfod.urls.empty() && !watch.runs_command()) fetch_debug_files(**engine, job);
  watch.set_counts([&engine] { return counts_of((*engine)->status()); });
  auto result = daemon::run_snapshot(**engine, job, [&watch] { return watch.over(); });
  watch.set_counts({});
  return result;
}

Result<daemon::SnapshotResult> sample_by_daemon(const daemon::SnapshotJob& job,
                                                server::ControlClient client,
                                                const std::string& control_socket, Watch& watch) {
  const server::ControlRequest request = to_request(job);
  bool asked = false;
  const auto interrupted = [&] {
    if (watch.over() && !asked) {
      asked = true;
      ask_to_finish(control_socket, request.title);
    }
    return watch.signals_seen() > 1;
  };
  auto response = client.call(request, request.duration_ms + kAnswerMarginMs, interrupted);
  if (!response) return response.error();
  if (!response->ok) return Error{response->error, response->exit_code};
  auto outputs = daemon::split_outputs(response->payload, job.render.formats.size());
  if (!outputs) return outputs.error();
  return daemon::SnapshotResult{*std::move(outputs), std::move(response->message)};
}

}  // namespace pyprof::cli
