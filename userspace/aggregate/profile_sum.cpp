// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/profile_sum.h"

namespace pyprof::aggregate {
namespace {

const char* const kOther = "[other]";

// Where `value` is in `list`, known by `key`; added if it is new.
template <typename Map, typename Key, typename Value>
uint32_t intern(Map& known, Key key, std::vector<Value>& list, Value value) {
  const auto [at, is_new] = known.try_emplace(std::move(key), static_cast<uint32_t>(list.size()));
  if (is_new) list.push_back(std::move(value));
  return at->second;
}

}  // namespace

void ProfileSum::add(const model::Profile& part) {
  add_head(part);
  std::vector<uint32_t> threads, stacks(part.stacks.size(), UINT32_MAX);
  for (const model::Thread& one : part.threads)
    threads.push_back(thread(part, one));
  for (const model::Sample& sample : part.samples) {
    uint32_t& known = stacks[sample.stack];
    if (known == UINT32_MAX) {
      std::vector<uint32_t> frames;
      for (const uint32_t index : part.stacks[sample.stack].frames)
        frames.push_back(frame(part, part.frames[index]));
      known = stack(std::move(frames));
    }
    add_sample({threads[sample.thread], known, labels(part, sample.labels)}, sample);
  }
}

void ProfileSum::add_head(const model::Profile& part) {
  if (sum_.start_unix_ns == 0) {
    sum_.host = part.host;
    sum_.tool_version = part.tool_version;
    sum_.start_unix_ns = part.start_unix_ns;
  }
  sum_.duration_ns += part.duration_ns;
  sum_.rate_hz = part.rate_hz;
  sum_.period_ns = part.period_ns;
  sum_.event = part.event;
  add_quality(part.quality);
}

void ProfileSum::add_quality(const model::Quality& part) {
  model::Quality& sum = sum_.quality;
  sum.kernel_ticks += part.kernel_ticks;
  sum.samples += part.samples;
  sum.lost += part.lost;
  sum.truncated_native += part.truncated_native;
  sum.truncated_python += part.truncated_python;
  sum.unnamed_python += part.unnamed_python;
  sum.unnamed_native += part.unnamed_native;
  for (const auto& [label, count] : part.faults)
    sum.faults[label] += count;
}

// What the last window says of a process is the most that is known.
uint32_t ProfileSum::process(const model::ProcessInfo& info) {
  const uint32_t index = intern(processes_, std::pair(info.process, info.pid), sum_.processes,
                                model::ProcessInfo(info));
  sum_.processes[index] = info;
  return index;
}

uint32_t ProfileSum::thread(const model::Profile& part, const model::Thread& one) {
  const model::ProcessInfo& owner = part.processes[one.process];
  const std::pair key(owner.process, one.tid);
  if (threads_.size() >= limits_.threads && !threads_.contains(key)) {
    const uint32_t other = other_thread();
    sum_.threads[other].cpu_ns += one.cpu_ns;
    return other;
  }
  model::Thread fresh = one;
  fresh.process = process(owner);
  fresh.cpu_ns = 0;
  const uint32_t index = intern(threads_, key, sum_.threads, std::move(fresh));
  model::Thread& known = sum_.threads[index];
  known.cpu_ns += one.cpu_ns;
  if (!one.comm.empty()) known.comm = one.comm;
  if (!one.python_name.empty()) known.python_name = one.python_name;
  return index;
}

uint32_t ProfileSum::frame(const model::Profile& part, const model::Frame& one) {
  model::Frame own = one;
  if (frames_.size() >= 2 * limits_.rows) return other_frame();
  if (one.module != 0) {
    const model::Module& module = part.modules[one.module - 1];
    own.module = 1 + intern(modules_, std::pair(module.path, module.build_id), sum_.modules,
                            model::Module(module));
  }
  FrameKey key(own.kind, own.function, own.file, own.line, own.first_line, own.module, own.address,
               own.inlined);
  return intern(frames_, std::move(key), sum_.frames, std::move(own));
}

uint32_t ProfileSum::stack(std::vector<uint32_t> frames) {
  if (stacks_.size() >= limits_.rows && !stacks_.contains(frames)) return other_stack();
  model::Stack value{frames};
  return intern(stacks_, std::move(frames), sum_.stacks, std::move(value));
}

uint32_t ProfileSum::labels(const model::Profile& part, uint32_t of_sample) {
  if (of_sample == 0) return 0;
  const model::Labels& one = part.labels[of_sample - 1];
  LabelKey key(one.gil, one.gc, one.interpreter, one.has_task, one.task, one.import);
  if (labels_.size() >= limits_.rows && !labels_.contains(key)) return 0;
  return 1 + intern(labels_, std::move(key), sum_.labels, model::Labels(one));
}

void ProfileSum::add_sample(const SampleKey& key, const model::Sample& one) {
  SampleKey place = key;
  if (samples_.size() >= limits_.rows && !samples_.contains(key)) {
    place = {other_thread(), other_stack(), 0};
    sum_.quality.faults["live_limit"] += one.count;
  }
  const auto [at, is_new] = samples_.try_emplace(place, sum_.samples.size());
  if (is_new) {
    const auto& [thread, stack, labels] = place;
    sum_.samples.push_back({thread, stack, 0, 0, labels});
  }
  sum_.samples[at->second].count += one.count;
  sum_.samples[at->second].weight_ns += one.weight_ns;
}

uint32_t ProfileSum::other_thread() {
  model::ProcessInfo nobody;
  nobody.comm = kOther;
  const uint32_t owner = process(nobody);
  return intern(threads_, std::pair<model::ProcessId, int32_t>(0, 0), sum_.threads,
                model::Thread{owner, 0, kOther, "", 0});
}

uint32_t ProfileSum::other_frame() {
  model::Frame marker;
  marker.kind = model::FrameKind::kMarker;
  marker.function = kOther;
  FrameKey key(marker.kind, marker.function, "", 0, 0, 0, 0, false);
  return intern(frames_, std::move(key), sum_.frames, std::move(marker));
}

uint32_t ProfileSum::other_stack() {
  const uint32_t index = other_frame();
  return intern(stacks_, std::vector<uint32_t>{index}, sum_.stacks, model::Stack{{index}});
}

}  // namespace pyprof::aggregate
