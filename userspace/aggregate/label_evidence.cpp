// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/label_evidence.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "userspace/aggregate/labels.h"

namespace pyprof::aggregate {
namespace {

bool is_c_code(const model::Frame& frame) {
  return frame.kind == model::FrameKind::kInterpreter || frame.kind == model::FrameKind::kNative;
}

// What takes the GIL. take_gil is a local symbol and has suffixes where the compiler split it; of a
// stripped file only the exported ones are seen.
bool takes_gil(const model::Frame& frame) {
  constexpr std::array<std::string_view, 4> kExported{
      "PyEval_RestoreThread", "PyEval_AcquireThread", "PyEval_AcquireLock", "PyGILState_Ensure"};
  if (!is_c_code(frame)) return false;
  const std::string_view name = frame.function;
  return name == "take_gil" || name.starts_with("take_gil.") ||
         std::find(kExported.begin(), kExported.end(), name) != kExported.end();
}

// Gives samples labels that differ from those they have in one member.
class Relabeler {
 public:
  Relabeler(model::Profile& profile, std::function<void(model::Labels&)> change)
      : profile_(profile), change_(std::move(change)), changed_(profile.labels.size()) {}

  void operator()(model::Sample& sample) {
    uint32_t& to = changed_[sample.labels - 1];
    if (to == 0) {
      model::Labels labels = profile_.labels[sample.labels - 1];
      change_(labels);
      profile_.labels.push_back(std::move(labels));
      to = static_cast<uint32_t>(profile_.labels.size());
    }
    sample.labels = to;
  }

 private:
  model::Profile& profile_;
  const std::function<void(model::Labels&)> change_;
  std::vector<uint32_t> changed_;  // as Sample::labels, 0 = not made yet
};

void find_waiting(model::Profile& profile) {
  std::vector<bool> takes;
  for (const model::Stack& stack : profile.stacks) {
    takes.push_back(std::any_of(stack.frames.begin(), stack.frames.end(),
                                [&](uint32_t frame) { return takes_gil(profile.frames[frame]); }));
  }
  Relabeler relabel(profile, [](model::Labels& labels) { labels.gil = model::Gil::kWanted; });
  for (model::Sample& sample : profile.samples) {
    if (takes[sample.stack] && labels_of(profile, sample).gil == model::Gil::kReleased)
      relabel(sample);
  }
}

// How often frames of C code called others while their interpreter collected, and while it didn't.
class Callers {
 public:
  explicit Callers(const model::Profile& profile) : profile_(profile) {}

  void count(const model::Sample& sample) {
    const bool running = labels_of(profile_, sample).gc == model::Gc::kRunning;
    if (running) running_[process_of(sample)] += sample.count;
    for_each(sample, [&](uint64_t key) {
      Counts& counts = counts_[key];
      (running ? counts.running : counts.idle) += sample.count;
      return false;
    });
  }

  // Called by what is common while the interpreter collects, and rare else: the collector itself.
  [[nodiscard]] bool show_collector(const model::Sample& sample) const {
    constexpr uint64_t kRare = 50, kCommon = 20;
    const uint64_t running = running_.at(process_of(sample));
    return for_each(sample, [&](uint64_t key) {
      const Counts& counts = counts_.at(key);
      return counts.idle * kRare <= counts.running && counts.running * kCommon >= running;
    });
  }

 private:
  struct Counts {
    uint64_t running = 0;
    uint64_t idle = 0;
  };

  [[nodiscard]] uint32_t process_of(const model::Sample& sample) const {
    return profile_.threads[sample.thread].process;
  }

  // Stops at, and tells, the first caller that `is` accepts.
  template <typename Is>
  bool for_each(const model::Sample& sample, Is is) const {
    const uint64_t process = uint64_t{process_of(sample)} << 32;
    const auto& frames = profile_.stacks[sample.stack].frames;
    for (std::size_t i = 1; i < frames.size(); ++i) {
      if (is_c_code(profile_.frames[frames[i]]) && is(process | frames[i])) return true;
    }
    return false;
  }

  const model::Profile& profile_;
  std::unordered_map<uint64_t, Counts> counts_;     // process << 32 | frame
  std::unordered_map<uint32_t, uint64_t> running_;  // samples of a process
};

// A thread that never shows the collector, while another one of its process does, only had the GIL
// while that one was in a callback. Of stripped files not every stack tells, hence the thread's
// samples are judged together.
void find_collectors(model::Profile& profile) {
  constexpr uint64_t kSome = 10;  // a collecting thread's stacks show it in one of so many samples
  Callers callers(profile);
  for (const model::Sample& sample : profile.samples)
    callers.count(sample);
  std::vector<uint64_t> running(profile.threads.size()), shown(profile.threads.size());
  std::vector<bool> known(profile.processes.size());
  for (const model::Sample& sample : profile.samples) {
    if (labels_of(profile, sample).gc != model::Gc::kRunning) continue;
    running[sample.thread] += sample.count;
    if (!callers.show_collector(sample)) continue;
    shown[sample.thread] += sample.count;
    known[profile.threads[sample.thread].process] = true;
  }
  Relabeler relabel(profile, [](model::Labels& labels) { labels.gc = model::Gc::kIdle; });
  for (model::Sample& sample : profile.samples) {
    const uint32_t thread = sample.thread;
    const bool collects = shown[thread] * kSome >= running[thread];
    if (labels_of(profile, sample).gc == model::Gc::kRunning && !collects &&
        known[profile.threads[thread].process])
      relabel(sample);
  }
}

}  // namespace

void settle_labels(model::Profile& profile) {
  if (profile.labels.empty()) return;
  find_waiting(profile);
  find_collectors(profile);
}

}  // namespace pyprof::aggregate
