// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/control.h"

#include <unistd.h>

#include "userspace/daemon/known_processes.h"
#include "userspace/daemon/snapshot_job.h"
#include "userspace/daemon/targets.h"
#include "userspace/process/proc_fs.h"

namespace pyprof::daemon {
namespace {

using server::ControlRequest;
using server::ControlResponse;

constexpr uint32_t kDefaultRateHz = 99;

Result<SnapshotJob> to_job(const ControlRequest& request) {
  if (request.pids.empty() != request.all) return Error{"ask for process ids or for all of them"};
  if (request.duration_ms == 0) return Error{"the duration must be more than 0"};
  SnapshotJob job;
  job.pids = request.pids;
  job.duration_ns = request.duration_ms * 1'000'000;
  job.rate_hz = request.rate_hz == 0 ? kDefaultRateHz : request.rate_hz;
  job.render.threads = request.threads;
  job.render.native = request.native;
  job.render.python_only = request.python_only;
  job.render.gil = request.gil;
  const auto by = aggregate::parse_group(request.by);
  if (!by) return Error{"the daemon does not know how to group by that"};
  job.render.by = *by;
  if (const auto done = decode_formats(request.format, job.render); !done) return done.error();
  return job;
}

Result<void> check_targets(const SnapshotJob& job) {
  const process::ProcFs proc;
  for (const int32_t pid : job.pids) {
    if (const auto there = check_process(proc, pid); !there) return there.error();
  }
  if (!job.render.python_only && !job.render.gil) return {};
  return require_python(proc, job.pids, job.render.gil ? "-g/--gil" : "--python-only");
}

}  // namespace

ControlResponse ControlService::handle(const ControlRequest& request,
                                       const server::Cancelled& cancelled) {
  if (request.verb == "ping") {
    ControlResponse response;
    response.message = std::to_string(::getpid());
    return response;
  }
  if (request.verb == "snapshot") return snapshot(request, cancelled);
  if (request.verb == "finish") return finish(request.title);
  if (request.verb == "processes") return processes();
  return server::failed(Error{"the daemon knows ping, processes, snapshot and finish only"});
}

ControlResponse ControlService::processes() const {
  ControlResponse response;
  const engine::Engine* engine = engine_;
  response.payload = encode_processes(engine == nullptr ? std::vector<model::ProcessInfo>()
                                                        : engine->known_processes());
  return response;
}

ControlResponse ControlService::snapshot(const ControlRequest& request,
                                         const server::Cancelled& cancelled) {
  const auto flag = std::make_shared<std::atomic<bool>>(false);
  std::multimap<std::string, Flag>::iterator entry;
  {
    const std::lock_guard lock(mutex_);
    entry = running_.emplace(request.title, flag);
  }
  const auto response = sample(request, cancelled, flag);
  {
    const std::lock_guard lock(mutex_);
    running_.erase(entry);
  }
  if (response) {
    ++ok_;
    return *response;
  }
  ++(response.error().code == ExitCode::kNoSamples ? no_samples_ : failed_);
  return server::failed(response.error());
}

Result<ControlResponse> ControlService::sample(const ControlRequest& request,
                                               const server::Cancelled& cancelled,
                                               const Flag& finish) {
  engine::Engine* engine = engine_;
  if (engine == nullptr) return Error{"the daemon is starting; try again in a second"};
  const auto job = to_job(request);
  if (!job) return job.error();
  if (const auto good = check_targets(*job); !good) return good.error();
  auto result = run_snapshot(*engine, *job, [&] { return *finish || cancelled(); });
  if (!result) return result.error();
  ControlResponse response;
  response.message = std::move(result->message);
  response.payload = join_outputs(result->outputs);
  return response;
}

ControlResponse ControlService::finish(const std::string& title) {
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = running_.equal_range(title);
  if (begin == end) return server::failed(Error{"no such snapshot is running"});
  for (auto entry = begin; entry != end; ++entry)
    *entry->second = true;
  return {};
}

}  // namespace pyprof::daemon
