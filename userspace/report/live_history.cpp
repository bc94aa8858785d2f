// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/live_history.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/summary.h"

namespace pyprof::report {
namespace {

constexpr double kWeightOfNow = 0.3;  // in the running mean

// Of one function in one profile.
struct Function {
  uint32_t frame = 0;  // the one with the most self time, else any
  uint64_t frame_value = 0;
  uint64_t self = 0;
  uint64_t total = 0;
  std::size_t counted = 0;  // the sample, from 1, that counted it last
};

struct Functions {
  std::vector<std::string> ids;     // of each frame
  std::vector<Function*> of_frame;  // nullptr = not seen in a sample
  std::unordered_map<std::string, Function> by_id;
};

std::vector<uint64_t> self_values(const model::Profile& profile,
                                  const aggregate::Summary& summary) {
  std::vector<uint64_t> values(profile.frames.size());
  for (const model::Sample& sample : profile.samples) {
    const auto& frames = profile.stacks[sample.stack].frames;
    if (!frames.empty()) values[frames.front()] += aggregate::sample_value(sample, summary);
  }
  return values;
}

Functions measure(const model::Profile& profile, const aggregate::Summary& summary) {
  Functions found;
  found.of_frame.resize(profile.frames.size());
  const auto self = self_values(profile, summary);
  for (std::size_t i = 0; i < profile.samples.size(); ++i) {
    const model::Sample& sample = profile.samples[i];
    const uint64_t value = aggregate::sample_value(sample, summary);
    for (const uint32_t frame : profile.stacks[sample.stack].frames) {
      Function*& function = found.of_frame[frame];
      if (function == nullptr) {
        function = &found.by_id[live_function_id(profile, profile.frames[frame])];
        if (function->total == 0 || self[frame] > function->frame_value) {
          function->frame = frame;
          function->frame_value = self[frame];
        }
      }
      if (function->counted == i + 1) continue;
      function->counted = i + 1;
      function->total += value;
    }
  }
  for (std::size_t i = 0; i < self.size(); ++i)
    if (found.of_frame[i] != nullptr) found.of_frame[i]->self += self[i];
  return found;
}

uint64_t value_of(const model::Profile& profile, const aggregate::Summary& summary) {
  uint64_t whole = 0;
  for (const model::Sample& sample : profile.samples)
    whole += aggregate::sample_value(sample, summary);
  return whole;
}

}  // namespace

std::string live_function_id(const model::Profile& profile, const model::Frame& frame) {
  return aggregate::function_text(frame) + "\n" +
         aggregate::place_text(profile, frame, frame.first_line, true);
}

model::Profile narrow(const model::Profile& profile, const LiveScope& scope) {
  if (scope == LiveScope{}) return profile;
  model::Profile narrowed = profile;
  std::vector<bool> wanted(profile.frames.size(), scope.function.empty());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    wanted[i] = wanted[i] || live_function_id(profile, profile.frames[i]) == scope.function;
  }
  const auto in_scope = [&](const model::Thread& thread) {
    return (scope.pid == 0 || profile.processes[thread.process].pid == scope.pid) &&
           (scope.tid == 0 || thread.tid == scope.tid);
  };
  std::erase_if(narrowed.samples, [&](const model::Sample& sample) {
    const auto& frames = profile.stacks[sample.stack].frames;
    return !in_scope(profile.threads[sample.thread]) ||
           (!scope.function.empty() && std::none_of(frames.begin(), frames.end(),
                                                    [&](uint32_t frame) { return wanted[frame]; }));
  });
  for (model::Thread& thread : narrowed.threads)
    if (!in_scope(thread)) thread.cpu_ns = 0;
  return narrowed;
}

void FunctionHistory::start(const model::Profile& before, const model::Profile& window,
                            bool full_paths) {
  full_paths_ = full_paths;
  functions_.clear();
  take(before, true, false);
  take(window, false, true);
}

void FunctionHistory::add(const model::Profile& window) {
  for (auto& [id, past] : functions_) {
    past.usual_percent += kWeightOfNow * (past.now_percent - past.usual_percent);
    past.now_percent = past.now_total_percent = 0;
  }
  take(window, true, true);
}

FunctionHistory::Past* FunctionHistory::find(const std::string& id) {
  const auto at = functions_.find(id);
  if (at != functions_.end()) return &at->second;
  return functions_.size() < kMaxFunctions ? &functions_[id] : nullptr;
}

void FunctionHistory::take(const model::Profile& profile, bool adds_time, bool is_now) {
  const aggregate::Summary summary = aggregate::summarize(profile);
  const uint64_t whole = value_of(profile, summary);
  const double seconds_per_value =
      aggregate::seconds(summary.cpu_ns()) / static_cast<double>(std::max<uint64_t>(1, whole));
  for (const auto& [id, function] : measure(profile, summary).by_id) {
    Past* past = find(id);
    if (past == nullptr) continue;
    const model::Frame& frame = profile.frames[function.frame];
    past->name = aggregate::function_text(frame);
    past->place = aggregate::place_text(profile, frame, frame.first_line, full_paths_);
    past->hot_place = aggregate::source_text(profile, frame, frame.line, full_paths_);
    if (adds_time) {
      past->self_s += static_cast<double>(function.self) * seconds_per_value;
      past->total_s += static_cast<double>(function.total) * seconds_per_value;
    }
    if (is_now) {
      past->now_percent = aggregate::percent(function.self, whole);
      past->now_total_percent = aggregate::percent(function.total, whole);
    } else {
      past->usual_percent = aggregate::percent(function.self, whole);
    }
  }
}

}  // namespace pyprof::report
