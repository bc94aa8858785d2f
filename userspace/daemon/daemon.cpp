// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/daemon.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "userspace/base/clock.h"
#include "userspace/base/log.h"
#include "userspace/daemon/control.h"
#include "userspace/daemon/debug_files.h"
#include "userspace/daemon/guard.h"
#include "userspace/daemon/notify.h"
#include "userspace/daemon/signals.h"
#include "userspace/daemon/status_metrics.h"
#include "userspace/daemon/version.h"
#include "userspace/daemon/window_loop.h"
#include "userspace/server/control_client.h"
#include "userspace/server/control_server.h"
#include "userspace/server/http_server.h"

namespace pyprof::daemon {
namespace {

constexpr uint64_t kTickNs = 1'000'000'000;
constexpr uint64_t kPingTimeoutMs = 2000;
constexpr uint64_t kStuckNs = 10'000'000'000;

// Where every tick of the kernel went: tick + stack = delivered + the four losses in userspace.
std::string balance_line(const engine::EngineStatus& status) {
  std::string line =
      fmt::format("balance: ticks {} delivered {}", status.kernel_ticks, status.delivered);
  for (const auto& [label, count] : status.outcomes)
    line += fmt::format(" {} {}", label, count);
  for (const char* reason :
       {"queue_full", "mapping_replaced", "unknown_stack", "malformed_record"}) {
    const auto it = std::find_if(status.faults.begin(), status.faults.end(),
                                 [&](const auto& fault) { return fault.first == reason; });
    if (it != status.faults.end()) line += fmt::format(" {} {}", reason, it->second);
  }
  return line;
}

int ms_until(uint64_t time_ns) {
  const uint64_t now_ns = monotonic_ns();
  return time_ns <= now_ns ? 0 : static_cast<int>((time_ns - now_ns) / 1'000'000) + 1;
}

Result<void> check_no_other(const std::string& control_socket) {
  auto client = server::ControlClient::connect(control_socket);
  if (!client) return client.error();
  if (!client->has_value()) return {};
  server::ControlRequest ping;
  ping.verb = "ping";
  const auto answer = (*client)->call(ping, kPingTimeoutMs);
  const std::string pid = answer && answer->ok ? ", pid " + answer->message : "";
  return Error{"a daemon is already running" + pid + " (control socket " + control_socket + ")"};
}

// Everything that runs. Members go in the reverse order: first who asks the engine, then itself.
class Daemon {
 public:
  Daemon(DaemonOptions options, config::Config config, Signals signals)
      : options_(std::move(options)), config_(std::move(config)), signals_(std::move(signals)) {}

  Result<void> start();
  void serve();

 private:
  Result<void> open_sockets();
  void publish();
  void reload();
  void apply(config::Config next);
  void stop();
  [[nodiscard]] std::optional<std::string> not_ready() const;

  const DaemonOptions options_;
  config::Config config_;
  const Signals signals_;
  ReloadState reload_{true, realtime_ns()};
  server::MetricsPage page_;
  std::atomic<uint64_t> published_ns_{0};  // CLOCK_MONOTONIC, 0 = not yet
  ControlService service_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<WindowLoop> windows_;
  std::unique_ptr<server::HttpServer> http_;
  std::unique_ptr<server::ControlServer> control_;
};

Result<void> Daemon::open_sockets() {
  if (const auto alone = check_no_other(config_.daemon.control_socket); !alone) return alone;
  auto http = server::HttpServer::start(
      config_.daemon.listen,
      {.metrics = [this] { return page_.text(); }, .not_ready = [this] { return not_ready(); }});
  if (!http) return http.error();
  http_ = *std::move(http);
  const auto handler = [this](const server::ControlRequest& request,
                              const server::Cancelled& cancelled) {
    return service_.handle(request, cancelled);
  };
  auto control = server::ControlServer::start(config_.daemon.control_socket, handler);
  if (!control) return control.error();
  control_ = *std::move(control);
  return {};
}

// The sockets come first: what is wrong with them is found before the kernel is touched.
Result<void> Daemon::start() {
  if (const auto opened = open_sockets(); !opened) return opened;
  engine::EngineOptions options;
  options.sampling = config_.sampling;
  options.limits = config_.limits;
  options.metrics = config_.metrics;
  options.table_cache = config_.daemon.state_dir + "/tables";
  auto debuginfod = debuginfod_options(config_);
  if (!debuginfod) return debuginfod.error();
  options.debuginfod = *std::move(debuginfod);
  options.tool_version = tool_version();
  auto engine = engine::Engine::start(options);
  if (!engine) return engine.error();
  engine_ = *std::move(engine);
  service_.set_engine(*engine_);
  windows_ = std::make_unique<WindowLoop>(*engine_, config_);
  publish();
  log::info("pyebpf-prof {} samples at {} Hz; metrics at http://{}/metrics, control socket {}",
            tool_version(), config_.sampling.rate_hz, config::to_string(http_->address()),
            config_.daemon.control_socket);
  notify_service_manager("READY=1");
  return {};
}

std::optional<std::string> Daemon::not_ready() const {
  const uint64_t published_ns = published_ns_;
  if (published_ns == 0) return "starting";
  if (monotonic_ns() > published_ns + kStuckNs) return "no new numbers for 10 seconds";
  return std::nullopt;
}

void Daemon::publish() {
  DaemonStatus status;
  status.engine = engine_->status();
  status.windows = windows_->sums();
  status.snapshots = service_.counts();
  status.reload = reload_;
  status.now_unix_ns = realtime_ns();
  page_.publish(to_metrics(status));
  published_ns_ = monotonic_ns();
}

void Daemon::reload() {
  notify_service_manager("RELOADING=1");
  auto next = load_config(options_);
  reload_.successful = next.ok();
  if (next) {
    apply(*std::move(next));
  } else {
    log::error("reload: {}; the old configuration stays", next.error().message);
  }
  notify_service_manager("READY=1");
}

void Daemon::apply(config::Config next) {
  if (const auto done = engine_->reconfigure(next.sampling); !done) {
    reload_.successful = false;
    return log::error("reload: {}; the old configuration stays", done.error().message);
  }
  const std::string restart = needs_restart(config_, next);
  if (!restart.empty()) log::warning("reload: restart the daemon for new values of {}", restart);
  log::set_level(next.log.level);
  windows_->reconfigure(next);
  config_.sampling.rate_hz = next.sampling.rate_hz;
  config_.daemon.window_seconds = next.daemon.window_seconds;
  config_.daemon.kill_switch = next.daemon.kill_switch;
  config_.log = next.log;
  reload_.success_unix_ns = realtime_ns();
  log::info("reload: done, {} Hz, windows of {} s", config_.sampling.rate_hz,
            config_.daemon.window_seconds);
}

void Daemon::serve() {
  for (uint64_t next_ns = monotonic_ns();;) {
    const uint64_t now_ns = monotonic_ns();
    if (now_ns >= next_ns) {
      publish();
      next_ns = now_ns + kTickNs;
    }
    const auto signal = signals_.next(ms_until(next_ns));
    if (signal == SIGHUP) reload();
    if (signal == SIGTERM || signal == SIGINT) break;
    if (const auto reason = kill_switch_reason(config_.daemon.kill_switch)) {
      log::error("{}: the daemon ends", *reason);
      break;
    }
  }
  stop();
}

void Daemon::stop() {
  notify_service_manager("STOPPING=1");
  control_.reset();
  windows_->stop();
  publish();
  const WindowSums sums = windows_->sums();
  log::info("stopped after {} samples, {} of them truncated", sums.samples, sums.truncated);
  log::info("{}", balance_line(engine_->stop()));
  http_.reset();
}

}  // namespace

Result<config::Config> load_config(const DaemonOptions& options) {
  auto config = config::load_file(options.config_path);
  if (!config) return config;
  if (options.control_socket) config->daemon.control_socket = *options.control_socket;
  if (!options.listen) return config;
  auto listen = config::parse_listen(*options.listen);
  if (!listen) return Error{"--listen: " + listen.error().message};
  const auto allowed = config::check_listen(*listen, config->daemon.allow_remote_without_auth);
  if (!allowed) return Error{"--listen: " + allowed.error().message};
  config->daemon.listen = *listen;
  return config;
}

std::string needs_restart(const config::Config& running, const config::Config& next) {
  std::string names;
  const auto compare = [&names](bool equal, const char* name) {
    if (equal) return;
    names += names.empty() ? "" : ", ";
    names += name;
  };
  compare(running.sampling.event == next.sampling.event, "sampling.event");
  compare(running.daemon.listen == next.daemon.listen, "daemon.listen");
  compare(running.daemon.control_socket == next.daemon.control_socket, "daemon.control_socket");
  compare(running.daemon.state_dir == next.daemon.state_dir, "daemon.state_dir");
  compare(running.limits == next.limits, "limits");
  compare(running.symbols == next.symbols, "symbols");
  compare(running.metrics == next.metrics, "metrics");
  return names;
}

Result<void> run(const DaemonOptions& options) {
  auto config = load_config(options);
  if (!config) return config.error();
  if (const auto allowed = check_host(config->daemon.kill_switch); !allowed) return allowed;
  log::set_up(config->log.level);
  ::signal(SIGPIPE, SIG_IGN);
  auto signals = Signals::open({SIGTERM, SIGINT, SIGHUP});
  if (!signals) return signals.error();
  Daemon daemon(options, *std::move(config), *std::move(signals));
  if (const auto started = daemon.start(); !started) return started;
  daemon.serve();
  return {};
}

}  // namespace pyprof::daemon
