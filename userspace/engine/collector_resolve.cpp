// SPDX-License-Identifier: Apache-2.0
// From the addresses of a record to files, with the address space as it was then.
#include <utility>

#include "userspace/base/clock.h"
#include "userspace/engine/collector.h"
#include "userspace/engine/late_unwind.h"

namespace pyprof::engine {
namespace {

constexpr std::size_t kMaxHeld = 512;
constexpr uint64_t kMaxHeldNs = 1'000'000'000;

}  // namespace

void Collector::resolve(Pending& pending) {
  if (auto* sample = std::get_if<model::RawSample>(&pending.item)) {
    if (!resolve_sample(pending, *sample)) return;
    if (!held_.empty() && !held_.back().sample && held_.back().stack.time_ns == sample->time_ns &&
        held_.back().stack.key == sample->key) {
      held_.back().sample = *sample;
      return;
    }
  } else if (auto* stack = std::get_if<model::RawStack>(&pending.item)) {
    resolve_stack(pending, *stack);
    if (!finish_stack(*stack, held_.size() >= kMaxHeld)) {
      held_.push_back({std::move(*stack), std::nullopt});
      return;
    }
  }
  batch_.push_back(std::move(pending.item));
}

// Goes on where the kernel had no tables. False: some are still to come.
bool Collector::finish_stack(model::RawStack& stack, bool last_try) {
  if (stack.piece.bytes.empty()) return true;
  const LateTables tables{
      [&](uint64_t pc) { return tracker_.resolve(stack.process, pc, stack.time_ns); },
      [&](const model::NativeAddress& where) { return publisher_.rule(where); }};
  if (!unwind_late(stack, tables, last_try)) return false;
  if (stack.native_end != 0) return true;
  const std::lock_guard lock(mutex_);
  ++stats_.late;
  return true;
}

void Collector::finish_held(bool last_try) {
  const uint64_t now_ns = monotonic_ns();
  std::deque<Held> waiting;
  for (auto& held : held_) {
    const bool too_old = now_ns > held.stack.time_ns + kMaxHeldNs;
    if (!finish_stack(held.stack, last_try || too_old)) {
      waiting.push_back(std::move(held));
      continue;
    }
    batch_.emplace_back(std::move(held.stack));
    if (held.sample) batch_.emplace_back(*held.sample);
  }
  held_ = std::move(waiting);
}

// Returns false for a tick that points at a stack from before a mapping was replaced.
bool Collector::resolve_sample(Pending& pending, model::RawSample& sample) {
  if (sample.kernel_leaf) return true;
  const auto* state = tracker_.find(sample.process);
  if (state != nullptr && !state->space.read().replaced().empty() &&
      state->space.read().replaced().back().replaced_ns > publisher_.built_ns(pending.map_gen) &&
      state->space.read().replaced().back().replaced_ns <= sample.time_ns) {
    probe_.delete_stack(sample.key);
    const std::lock_guard lock(mutex_);
    ++stats_.outdated;
    return false;
  }
  sample.leaf = tracker_.resolve(sample.process, sample.leaf.pc, sample.time_ns);
  return true;
}

void Collector::resolve_stack(const Pending& pending, model::RawStack& stack) {
  const uint64_t built_ns = publisher_.built_ns(pending.map_gen);
  for (std::size_t i = 0; i < stack.native.size(); ++i) {
    auto& frame = stack.native[i];
    const uint64_t look = frame.where.pc - (frame.exact ? 0 : 1);
    if (tracker_.suspicious(stack.process, look, stack.time_ns, built_ns)) {
      stack.native.resize(i);
      stack.native_end = WIRE_FAULT_NATIVE_NO_MAPPING;
      stack.piece = {};
      return;
    }
    frame.where = tracker_.resolve(stack.process, frame.where.pc, stack.time_ns);
  }
}

}  // namespace pyprof::engine
