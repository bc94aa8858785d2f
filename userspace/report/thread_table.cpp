// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/thread_table.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "userspace/aggregate/frame_text.h"

namespace pyprof::report {

std::string leaf_text(const model::Profile& profile, uint32_t stack, bool full_paths) {
  const std::vector<uint32_t>& frames = profile.stacks[stack].frames;
  if (frames.empty()) return "";
  const auto python = std::find_if(frames.begin(), frames.end(), [&](uint32_t frame) {
    return profile.frames[frame].kind == model::FrameKind::kPython;
  });
  const uint32_t shown = python != frames.end() ? *python : frames.front();
  return aggregate::frame_text(profile, profile.frames[shown],
                               {aggregate::LineMode::kCurrent, full_paths});
}

std::vector<ThreadRow> thread_rows(const model::Profile& profile, const aggregate::Summary& summary,
                                   bool full_paths) {
  std::vector<ThreadRow> rows(profile.threads.size());
  std::vector<std::map<std::string, uint64_t>> leaves(rows.size());
  uint64_t whole = 0;
  for (const model::Sample& sample : profile.samples) {
    const uint64_t value = aggregate::sample_value(sample, summary);
    rows[sample.thread].samples += sample.count;
    rows[sample.thread].value += value;
    leaves[sample.thread][leaf_text(profile, sample.stack, full_paths)] += value;
    whole += value;
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double share = aggregate::percent(rows[i].value, whole) / 100;
    const auto top =
        std::max_element(leaves[i].begin(), leaves[i].end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    rows[i].thread = static_cast<uint32_t>(i);
    rows[i].cpu_ns =
        summary.measured_ns > 0
            ? profile.threads[i].cpu_ns
            : static_cast<uint64_t>(std::llround(share * static_cast<double>(summary.cpu_ns())));
    rows[i].top = top == leaves[i].end() ? "-" : top->first;
  }
  std::stable_sort(rows.begin(), rows.end(), [](const ThreadRow& a, const ThreadRow& b) {
    return std::tie(a.cpu_ns, a.value) > std::tie(b.cpu_ns, b.value);
  });
  return rows;
}

}  // namespace pyprof::report
