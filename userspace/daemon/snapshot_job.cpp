// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/snapshot_job.h"

#include <fmt/format.h>

#include "userspace/aggregate/summary.h"
#include "userspace/daemon/source_text.h"
#include "userspace/process/proc_fs.h"

namespace pyprof::daemon {
namespace {

constexpr std::size_t kPidsShown = 8;

std::string pids_text(const std::vector<int32_t>& pids) {
  std::string text;
  for (std::size_t i = 0; i < pids.size() && i < kPidsShown; ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(pids[i]);
  return pids.size() > kPidsShown ? text + ", ..." : text;
}

std::vector<int32_t> exited(const std::vector<int32_t>& pids) {
  const process::ProcFs proc;
  std::vector<int32_t> gone;
  for (const int32_t pid : pids) {
    const auto stat = proc.stat(pid);
    if (!stat || stat->state == 'Z' || stat->state == 'X') gone.push_back(pid);
  }
  return gone;
}

Error no_samples(const SnapshotJob& job, const model::Profile& profile,
                 const std::vector<int32_t>& gone) {
  const double waited_s = aggregate::seconds(profile.duration_ns);
  std::string text;
  if (job.pids.empty()) {
    text = fmt::format("no samples in {:.1f} s: no {}", waited_s,
                       job.render.gil ? "thread held a GIL; leave out -g" : "process used CPU");
  } else if (job.render.gil && gone.size() != job.pids.size()) {
    text = fmt::format("no samples of pid {} in {:.1f} s: no thread held the GIL; leave out -g",
                       pids_text(job.pids), waited_s);
  } else if (gone.size() == job.pids.size()) {
    text = fmt::format("no samples of pid {}: it exited before any was taken", pids_text(gone));
  } else {
    text = fmt::format(
        "no samples of pid {} in {:.1f} s: it was idle, and this profile shows CPU time only; "
        "use a longer --duration",
        pids_text(job.pids), waited_s);
  }
  return {text, ExitCode::kNoSamples};
}

}  // namespace

Result<SnapshotResult> run_snapshot(engine::Engine& engine, const SnapshotJob& job,
                                    const std::function<bool()>& cancelled) {
  auto profile = engine.snapshot({job.pids, job.duration_ns, job.rate_hz, needs_labels(job.render)},
                                 cancelled);
  if (!profile) return profile.error();
  if (job.render.gil) *profile = aggregate::only_gil_holders(*std::move(profile));
  const std::vector<int32_t> gone = exited(job.pids);
  if (aggregate::summarize(*profile).samples == 0) return no_samples(job, *profile, gone);
  if (has_report(job.render)) add_source_text(*profile, view_options(job.render));
  SnapshotResult result;
  auto outputs = render(*profile, job.render);
  if (!outputs) return outputs.error();
  result.outputs = *std::move(outputs);
  if (!gone.empty()) {
    result.message = fmt::format("pid {} exited during the snapshot: this is what was sampled\n",
                                 pids_text(gone));
  }
  result.message += closing_line(*profile);
  return result;
}

}  // namespace pyprof::daemon
