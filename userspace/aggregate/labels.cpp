// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/labels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/frame_text.h"

namespace pyprof::aggregate {
namespace {

constexpr std::array<std::pair<GroupBy, const char*>, 5> kGroups{{
    {GroupBy::kThread, "thread"},
    {GroupBy::kTask, "task"},
    {GroupBy::kGil, "gil"},
    {GroupBy::kGc, "gc"},
    {GroupBy::kInterpreter, "interpreter"},
}};
constexpr uint16_t kFirstWithTasks = 0x30e;  // tells the running task: CPython 3.14

// What takes the GIL. take_gil is a local symbol and has suffixes where the compiler split it; of a
// stripped file only the exported ones are seen.
bool takes_gil(const model::Frame& frame) {
  constexpr std::array<std::string_view, 4> kExported{
      "PyEval_RestoreThread", "PyEval_AcquireThread", "PyEval_AcquireLock", "PyGILState_Ensure"};
  if (frame.kind != model::FrameKind::kInterpreter && frame.kind != model::FrameKind::kNative)
    return false;
  const std::string_view name = frame.function;
  return name == "take_gil" || name.starts_with("take_gil.") ||
         std::find(kExported.begin(), kExported.end(), name) != kExported.end();
}

std::string known_or(const char* word) {
  return word != nullptr ? word : "[unknown]";
}

// What is left of a thread's measured time when `kept` of `all` of its samples stay.
uint64_t scaled(uint64_t cpu_ns, uint64_t kept, uint64_t all) {
  if (all == 0) return 0;
  return static_cast<uint64_t>(std::llround(static_cast<double>(cpu_ns) *
                                            static_cast<double>(kept) / static_cast<double>(all)));
}

}  // namespace

std::optional<GroupBy> parse_group(std::string_view word) {
  if (word.empty()) return GroupBy::kNone;
  for (const auto& [by, name] : kGroups) {
    if (word == name) return by;
  }
  return std::nullopt;
}

const char* group_name(GroupBy by) {
  for (const auto& [known, name] : kGroups) {
    if (known == by) return name;
  }
  return "";
}

bool needs_labels(GroupBy by) {
  return by != GroupBy::kNone && by != GroupBy::kThread;
}

const model::Labels& labels_of(const model::Profile& profile, const model::Sample& sample) {
  static const model::Labels unknown;
  return sample.labels == 0 ? unknown : profile.labels[sample.labels - 1];
}

const char* gil_text(model::Gil gil) {
  switch (gil) {
    case model::Gil::kHeld:
      return "held";
    case model::Gil::kReleased:
      return "released";
    case model::Gil::kWanted:
      return "wanted";
    case model::Gil::kFreeThreaded:
      return "free-threaded";
    case model::Gil::kUnknown:
      break;
  }
  return nullptr;
}

const char* gc_text(model::Gc gc) {
  if (gc == model::Gc::kUnknown) return nullptr;
  return gc == model::Gc::kRunning ? "running" : "idle";
}

std::string task_text(const model::Labels& labels) {
  if (!labels.has_task) return "";
  return labels.task.empty() ? "[unnamed]" : clean_text(labels.task, 128);
}

std::string group_value(const model::Profile& profile, const model::Sample& sample, GroupBy by) {
  const model::Labels& labels = labels_of(profile, sample);
  switch (by) {
    case GroupBy::kTask: {
      const model::Thread& thread = profile.threads[sample.thread];
      const uint16_t version = profile.processes[thread.process].python_version;
      if (labels.has_task) return task_text(labels);
      return version != 0 && version < kFirstWithTasks ? "[not told before CPython 3.14]"
                                                       : "[none]";
    }
    case GroupBy::kGil:
      return known_or(gil_text(labels.gil));
    case GroupBy::kGc:
      return known_or(gc_text(labels.gc));
    case GroupBy::kInterpreter:
      return labels.interpreter < 0 ? "[unknown]" : std::to_string(labels.interpreter);
    case GroupBy::kThread: {
      const model::Thread& thread = profile.threads[sample.thread];
      return thread_name(thread) + " (" + std::to_string(thread.tid) + ")";
    }
    case GroupBy::kNone:
      break;
  }
  return "";
}

std::string group_text(const model::Profile& profile, const model::Sample& sample, GroupBy by) {
  if (by == GroupBy::kNone) return "";
  return std::string(group_name(by)) + " " + group_value(profile, sample, by);
}

void find_waiting_for_gil(model::Profile& profile) {
  if (profile.labels.empty()) return;
  std::vector<bool> takes;
  for (const model::Stack& stack : profile.stacks) {
    takes.push_back(
        std::any_of(stack.frames.begin(), stack.frames.end(),
                    [&](uint32_t frame) { return takes_gil(profile.frames[frame]); }));
  }
  std::vector<uint32_t> waiting(profile.labels.size());  // as Sample::labels, 0 = not made yet
  for (model::Sample& sample : profile.samples) {
    if (!takes[sample.stack] || labels_of(profile, sample).gil != model::Gil::kReleased) continue;
    uint32_t& wanted = waiting[sample.labels - 1];
    if (wanted == 0) {
      model::Labels labels = labels_of(profile, sample);
      labels.gil = model::Gil::kWanted;
      profile.labels.push_back(std::move(labels));
      wanted = static_cast<uint32_t>(profile.labels.size());
    }
    sample.labels = wanted;
  }
}

model::Profile only_gil_holders(model::Profile profile) {
  std::vector<uint64_t> all(profile.threads.size()), kept(profile.threads.size());
  std::vector<model::Sample> holders;
  for (const model::Sample& sample : profile.samples) {
    all[sample.thread] += sample.count;
    if (labels_of(profile, sample).gil != model::Gil::kHeld) continue;
    kept[sample.thread] += sample.count;
    holders.push_back(sample);
  }
  profile.samples = std::move(holders);
  for (std::size_t i = 0; i < profile.threads.size(); ++i) {
    profile.threads[i].cpu_ns = scaled(profile.threads[i].cpu_ns, kept[i], all[i]);
  }
  return profile;
}

}  // namespace pyprof::aggregate
