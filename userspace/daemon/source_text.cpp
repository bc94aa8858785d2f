// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/source_text.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "userspace/aggregate/summary.h"
#include "userspace/process/proc_fs.h"
#include "userspace/process/root_files.h"
#include "userspace/process/source_file.h"
#include "userspace/report/hot_lines.h"

namespace pyprof::daemon {
namespace {

constexpr std::size_t kMaxLines = 50;

// {file: a process with samples in it}
std::map<std::string, const model::ProcessInfo*> owners(const model::Profile& profile) {
  std::map<std::string, const model::ProcessInfo*> found;
  for (const model::Sample& sample : profile.samples) {
    for (const uint32_t index : profile.stacks[sample.stack].frames) {
      const model::Frame& frame = profile.frames[index];
      if (frame.kind != model::FrameKind::kPython) continue;
      found.emplace(frame.file, &profile.processes[profile.threads[sample.thread].process]);
      break;
    }
  }
  return found;
}

// 0 is this process: whose root is the host's.
std::optional<int32_t> pid_to_read_by(const process::ProcFs& proc,
                                      const model::ProcessInfo& process) {
  if (process::open_root(proc, process.pid).valid()) return process.pid;
  if (process.container.id.empty()) return 0;
  return std::nullopt;
}

}  // namespace

void add_source_text(model::Profile& profile, const aggregate::ViewOptions& view) {
  const process::ProcFs proc;
  const model::Profile shown = aggregate::apply_view(profile, view);
  std::map<std::string, std::set<uint32_t>> wanted;
  for (const auto& line : report::hot_lines(shown, aggregate::summarize(shown), kMaxLines, true))
    wanted[line.file].insert(line.line);
  const auto processes = owners(shown);
  for (const auto& [file, lines] : wanted) {
    const auto process = processes.find(file);
    if (process == processes.end()) continue;
    const auto pid = pid_to_read_by(proc, *process->second);
    if (!pid) continue;
    for (auto& [line, text] : process::read_source(proc, *pid, file, lines))
      profile.source.emplace(std::pair(file, line), std::move(text));
  }
}

}  // namespace pyprof::daemon
