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

constexpr std::array<std::pair<GroupBy, const char*>, 6> kGroups{{
    {GroupBy::kThread, "thread"},
    {GroupBy::kTask, "task"},
    {GroupBy::kGil, "gil"},
    {GroupBy::kGc, "gc"},
    {GroupBy::kImport, "import"},
    {GroupBy::kInterpreter, "interpreter"},
}};
constexpr uint16_t kFirstWithTasks = 0x30e;  // tells the running task: CPython 3.14

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

const char* import_text(model::Import import) {
  if (import == model::Import::kUnknown) return nullptr;
  return import == model::Import::kRunning ? "running" : "idle";
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
    case GroupBy::kImport:
      return known_or(import_text(labels.import));
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
