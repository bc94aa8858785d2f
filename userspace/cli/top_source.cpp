// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/top_source.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/labels.h"
#include "userspace/daemon/guard.h"
#include "userspace/daemon/render.h"
#include "userspace/daemon/version.h"
#include "userspace/engine/thread_stacks.h"
#include "userspace/import/load.h"
#include "userspace/server/control_client.h"

namespace pyprof::cli {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr uint64_t kAnswerMarginMs = 30'000;
constexpr std::chrono::milliseconds kReadLimit{500};
constexpr int kReadShare = 100;  // of the time, one part is for reading threads

Result<std::unique_ptr<engine::Engine>> start_engine(const TopOptions& top,
                                                     const config::Config& config) {
  if (const auto allowed = daemon::check_host(config.daemon.kill_switch); !allowed)
    return allowed.error();
  engine::EngineOptions options;
  options.sampling = config.sampling;
  options.sampling.rate_hz = top.rate_hz;
  options.limits = config.limits;
  options.metrics = config.metrics;
  options.only_pids = top.pids;
  options.follow_children = top.subprocesses;
  const std::string tables = config.daemon.state_dir + "/tables";
  if (::access(tables.c_str(), W_OK) == 0) options.table_cache = tables;
  options.tool_version = daemon::tool_version();
  return engine::Engine::start(options);
}

// pprof as the daemon sends it. The readers of profiles take files.
Result<model::Profile> parse(const std::string& bytes) {
  const Fd file(::memfd_create("window", MFD_CLOEXEC));
  if (!file.valid() ||
      ::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return errno_error("keeping the daemon's answer", errno);
  }
  return importer::load_profile(fmt::format("/proc/self/fd/{}", file.get()));
}

report::LiveThread shown(const engine::ThreadNow& thread, bool full_filenames) {
  report::LiveThread row;
  row.tid = thread.tid;
  row.state = thread.state;
  row.name = thread.python_name.empty() ? thread.comm : thread.python_name;
  if (!thread.stack) return row;
  row.whole = thread.stack->whole;
  row.stable = thread.stack->stable;
  for (const python::StackFrame& frame : thread.stack->frames) {
    const std::string_view file =
        full_filenames ? std::string_view(frame.filename) : aggregate::base_name(frame.filename);
    row.frames.push_back(fmt::format("{} ({}:{})",
                                     frame.qualname.empty() ? "<unnamed>" : frame.qualname,
                                     file.empty() ? "?" : file, frame.line));
  }
  return row;
}

}  // namespace

Result<TopSource> TopSource::open(const TopOptions& options, const config::Config& config) {
  TopSource source(options, config.daemon.control_socket);
  // A daemon does not know who is whose child.
  if (!options.no_daemon && !options.subprocesses) {
    const auto client = server::ControlClient::connect(source.socket_);
    if (!client) return client.error();
    if (client->has_value()) return source;
  }
  auto engine = start_engine(options, config);
  if (!engine) return engine.error();
  source.engine_ = *std::move(engine);
  return source;
}

Result<model::Profile> TopSource::window(uint64_t duration_ns,
                                         const std::function<bool()>& cancelled) {
  auto profile = engine_ ? engine_->snapshot({pids_, duration_ns, rate_hz_, true, true}, cancelled)
                         : ask_daemon(duration_ns, cancelled);
  if (profile && gil_) *profile = aggregate::only_gil_holders(*std::move(profile));
  return profile;
}

Result<model::Profile> TopSource::ask_daemon(uint64_t duration_ns,
                                             const std::function<bool()>& cancelled) {
  auto client = server::ControlClient::connect(socket_);
  if (!client) return client.error();
  if (!client->has_value()) return Error{"the daemon has ended; start top again"};
  server::ControlRequest request;
  request.verb = "snapshot";
  request.pids = pids_;
  request.all = pids_.empty();
  request.duration_ms = duration_ns / kNsPerMs;
  request.rate_hz = rate_hz_;
  request.format = "pprof";
  request.native = true;  // what is shown is decided here
  const auto answer = (*client)->call(request, request.duration_ms + kAnswerMarginMs, cancelled);
  model::Profile nothing;
  nothing.duration_ns = duration_ns;
  if (!answer && cancelled()) return nothing;
  if (!answer) return answer.error();
  if (answer->exit_code == ExitCode::kNoSamples) return nothing;
  if (!answer->ok) return Error{answer->error, answer->exit_code};
  auto outputs = daemon::split_outputs(answer->payload, 1);
  if (!outputs) return outputs.error();
  return parse(outputs->front());
}

void TopThreads::find(int32_t pid) {
  pid_ = pid;
  next_ = {};
  runtime_.reset();
  auto found = finder_.find_runtime(pid);
  why_not_ = found ? "" : found.error().message;
  if (found) runtime_ = *std::move(found);
}

void TopThreads::read(int32_t pid, report::LiveData& into) {
  if (pid == 0) {
    into.threads.clear();
    into.no_threads = "of which process? F1, then Enter";
    return;
  }
  if (pid != pid_) find(pid);
  if (Clock::now() < next_) return;
  into.threads.clear();
  into.no_threads = aggregate::clean_text(why_not_);
  if (!runtime_) return;
  const auto begin = Clock::now();
  const auto threads = engine::threads_now(pid, runtime_->runtime, kReadLimit);
  next_ = Clock::now() + (Clock::now() - begin) * (kReadShare - 1);
  if (!threads) {
    into.no_threads = aggregate::clean_text(threads.error().message);
    return;
  }
  for (const engine::ThreadNow& thread : *threads)
    into.threads.push_back(shown(thread, full_filenames_));
}

}  // namespace pyprof::cli
