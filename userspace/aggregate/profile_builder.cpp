// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/profile_builder.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "userspace/aggregate/label_evidence.h"
#include "userspace/aggregate/process_status.h"

namespace pyprof::aggregate {
namespace {

using model::FrameKind;

constexpr uint32_t kNoIndex = 0xffffffff;
constexpr const char* kOther = "[other]";

// Copies the stacks that a profile uses, each once, and renumbers what they point at.
class TableCopier {
 public:
  TableCopier(const StackSource& source, model::Profile& profile)
      : source_(source), profile_(profile) {}

  uint32_t stack(uint32_t id) {
    const auto [it, is_new] = stacks_.try_emplace(id, profile_.stacks.size());
    if (is_new) {
      model::Stack copy;
      for (const uint32_t frame_id : source_.stack(id).frames) {
        copy.frames.push_back(frame(frame_id));
      }
      profile_.stacks.push_back(std::move(copy));
    }
    return it->second;
  }

 private:
  uint32_t frame(uint32_t id) {
    const auto [it, is_new] = frames_.try_emplace(id, profile_.frames.size());
    if (is_new) {
      model::Frame copy = source_.frame(id);
      if (copy.module > 0) copy.module = module(copy.module - 1) + 1;
      profile_.frames.push_back(std::move(copy));
    }
    return it->second;
  }

  uint32_t module(uint32_t id) {
    const auto [it, is_new] = modules_.try_emplace(id, profile_.modules.size());
    if (is_new) profile_.modules.push_back(source_.module(id));
    return it->second;
  }

  const StackSource& source_;
  model::Profile& profile_;
  std::unordered_map<uint32_t, uint32_t> stacks_;
  std::unordered_map<uint32_t, uint32_t> frames_;
  std::unordered_map<uint32_t, uint32_t> modules_;
};

// What one stack says of the quality of its samples.
struct StackFlaws {
  bool truncated_native = false;
  bool truncated_python = false;
  bool unnamed_python = false;
  bool unnamed_native = false;
};

StackFlaws find_flaws(const model::Profile& profile, const model::Stack& stack) {
  StackFlaws flaws;
  bool native_seen = false;
  for (const uint32_t index : stack.frames) {
    const model::Frame& frame = profile.frames[index];
    const bool native = frame.kind == FrameKind::kNative || frame.kind == FrameKind::kInterpreter;
    if (native && !native_seen) flaws.unnamed_native = frame.function.empty();
    native_seen |= native;
    flaws.unnamed_python |= frame.kind == FrameKind::kPython && frame.function.empty();
    if (frame.kind != FrameKind::kMarker || !frame.function.starts_with("[truncated")) continue;
    const bool python = frame.function.starts_with("[truncated: python");
    (python ? flaws.truncated_python : flaws.truncated_native) = true;
  }
  return flaws;
}

void count_quality(model::Profile& profile) {
  std::vector<StackFlaws> flaws;
  flaws.reserve(profile.stacks.size());
  for (const model::Stack& stack : profile.stacks)
    flaws.push_back(find_flaws(profile, stack));
  model::Quality& quality = profile.quality;
  quality.samples = quality.truncated_native = quality.truncated_python = 0;
  quality.unnamed_python = quality.unnamed_native = 0;
  for (const model::Sample& sample : profile.samples) {
    const StackFlaws& flaw = flaws[sample.stack];
    quality.samples += sample.count;
    quality.truncated_native += flaw.truncated_native ? sample.count : 0;
    quality.truncated_python += flaw.truncated_python ? sample.count : 0;
    quality.unnamed_python += flaw.unnamed_python ? sample.count : 0;
    quality.unnamed_native += flaw.unnamed_native ? sample.count : 0;
  }
}

uint32_t add_other_stack(model::Profile& profile) {
  model::Frame frame;
  frame.kind = FrameKind::kMarker;
  frame.function = kOther;
  profile.frames.push_back(std::move(frame));
  profile.stacks.push_back({{static_cast<uint32_t>(profile.frames.size() - 1)}});
  return static_cast<uint32_t>(profile.stacks.size() - 1);
}

model::Profile start_profile(const WindowInfo& window) {
  model::Profile profile;
  profile.host = window.host;
  profile.tool_version = window.tool_version;
  profile.start_unix_ns = window.start_unix_ns;
  profile.duration_ns = window.duration_ns;
  profile.rate_hz = window.rate_hz;
  profile.period_ns = window.period_ns;
  profile.event = window.event;
  profile.quality = window.quality;
  return profile;
}

}  // namespace

std::size_t ProfileBuilder::ThreadKeyHash::operator()(const ThreadKey& key) const noexcept {
  return std::hash<uint64_t>()(key.process * 0x9e3779b97f4a7c15U + static_cast<uint32_t>(key.tid));
}

std::size_t ProfileBuilder::RowKeyHash::operator()(const RowKey& key) const noexcept {
  const uint64_t place = uint64_t{key.thread} << 32 | key.stack;
  return std::hash<uint64_t>()(place + key.labels * 0x9e3779b97f4a7c15U);
}

std::size_t ProfileBuilder::LabelsHash::operator()(const model::RawLabels& labels) const noexcept {
  const auto state = static_cast<uint64_t>(labels.gil) | static_cast<uint64_t>(labels.gc) << 8 |
                     uint64_t{labels.interpreter} << 16 |
                     static_cast<uint64_t>(labels.import) << 32;
  return std::hash<uint64_t>()(labels.task + state * 0x9e3779b97f4a7c15U);
}

ProfileBuilder::ProfileBuilder(BuilderOptions options) : options_(std::move(options)) {
  clear();
}

void ProfileBuilder::clear() {
  threads_.assign(1, {});
  threads_[0].thread.comm = kOther;
  thread_indexes_.clear();
  rows_.clear();
  labels_.clear();
  label_indexes_.clear();
  samples_ = overflowed_ = 0;
}

bool ProfileBuilder::wanted(int32_t pid) const {
  return options_.pids.empty() || options_.pids.count(pid) > 0;
}

uint32_t ProfileBuilder::thread_index(model::ProcessId process, int32_t pid, int32_t tid) {
  const auto found = thread_indexes_.find({process, tid});
  if (found != thread_indexes_.end()) return found->second;
  if (threads_.size() > options_.max_threads) return 0;
  const auto index = static_cast<uint32_t>(threads_.size());
  ThreadState& state = threads_.emplace_back();
  state.process = process;
  state.pid = pid;
  state.thread.tid = tid;
  thread_indexes_.emplace(ThreadKey{process, tid}, index);
  return index;
}

uint32_t ProfileBuilder::labels_index(const StackSample& sample) {
  const model::RawLabels& raw = sample.labels;
  if (!options_.labels) return 0;
  const auto found = label_indexes_.find(raw);
  if (found != label_indexes_.end()) {
    model::Labels& known = labels_[found->second - 1];
    if (known.task.empty()) known.task = sample.task;
    return found->second;
  }
  if (labels_.size() >= options_.max_labels) return 0;
  const int32_t interpreter = raw.has_interpreter ? raw.interpreter : -1;
  labels_.push_back(
      {raw.gil, raw.gc, interpreter, raw.has_task, std::string(sample.task), raw.import});
  return label_indexes_[raw] = static_cast<uint32_t>(labels_.size());
}

void ProfileBuilder::add(const StackSample& sample) {
  if (!wanted(sample.pid)) return;
  samples_ += sample.count;
  const uint32_t thread = thread_index(sample.process, sample.pid, sample.tid);
  const RowKey key{thread, sample.stack, labels_index(sample)};
  auto row = rows_.find(key);
  if (thread != 0 && row == rows_.end() && rows_.size() < options_.max_rows) {
    row = rows_.try_emplace(key).first;
  }
  const bool fits = row != rows_.end();
  Counts& counts = fits ? row->second : threads_[thread].other;
  counts.count += sample.count;
  counts.weight_ns += sample.weight_ns;
  overflowed_ += fits ? 0 : sample.count;
}

void ProfileBuilder::add_thread(model::ProcessId process, int32_t pid, int32_t tid,
                                std::string_view comm, std::string_view python_name,
                                uint64_t cpu_ns) {
  if (!wanted(pid)) return;
  const uint32_t index = thread_index(process, pid, tid);
  model::Thread& thread = threads_[index].thread;
  thread.cpu_ns += cpu_ns;
  if (index == 0) return;
  if (!comm.empty()) thread.comm = comm.substr(0, 64);
  if (!python_name.empty()) thread.python_name = python_name.substr(0, 256);
}

// Threads with samples or CPU time, by (pid, tid); answers builder index -> profile index.
std::vector<uint32_t> ProfileBuilder::place_threads(model::Profile& profile,
                                                    const DescribeProcess& describe) const {
  std::vector<bool> used(threads_.size());
  for (const auto& [key, counts] : rows_)
    used[key.thread] = true;
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < threads_.size(); ++i) {
    if (used[i] || threads_[i].other.count > 0 || threads_[i].thread.cpu_ns > 0) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [this](uint32_t a, uint32_t b) {
    const auto key = [](const ThreadState& s) {
      return std::tuple(s.pid, s.process, s.thread.tid);
    };
    return key(threads_[a]) < key(threads_[b]);
  });

  std::vector<uint32_t> placed(threads_.size(), kNoIndex);
  std::unordered_map<model::ProcessId, uint32_t> processes;
  for (const uint32_t i : order) {
    const ThreadState& state = threads_[i];
    const auto [it, is_new] = processes.try_emplace(state.process, profile.processes.size());
    if (is_new) {
      model::ProcessInfo info = i == 0 ? model::ProcessInfo{} : describe(state.process, state.pid);
      if (info.comm.empty()) info.comm = state.thread.comm;
      info.process = state.process;
      info.pid = state.pid;
      profile.processes.push_back(std::move(info));
    }
    placed[i] = static_cast<uint32_t>(profile.threads.size());
    profile.threads.push_back(state.thread);
    profile.threads.back().process = it->second;
  }
  return placed;
}

model::Profile ProfileBuilder::finish(const StackSource& source, const WindowInfo& window,
                                      const DescribeProcess& describe) {
  model::Profile profile = start_profile(window);
  const std::vector<uint32_t> placed = place_threads(profile, describe);

  std::vector<std::pair<RowKey, Counts>> rows(rows_.begin(), rows_.end());
  for (auto& [key, counts] : rows)
    key.thread = placed[key.thread];
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });

  TableCopier copier(source, profile);
  profile.samples.reserve(rows.size());
  for (const auto& [key, counts] : rows) {
    profile.samples.push_back(
        {key.thread, copier.stack(key.stack), counts.count, counts.weight_ns, key.labels});
  }
  uint32_t other_stack = kNoIndex;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    const Counts& other = threads_[i].other;
    if (other.count == 0) continue;
    if (other_stack == kNoIndex) other_stack = add_other_stack(profile);
    profile.samples.push_back({placed[i], other_stack, other.count, other.weight_ns, 0});
  }
  profile.labels = std::move(labels_);
  settle_labels(profile);
  count_quality(profile);
  measure_coverage(profile);
  clear();
  return profile;
}

}  // namespace pyprof::aggregate
