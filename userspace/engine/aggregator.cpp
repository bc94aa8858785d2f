// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/aggregator.h"

#include <algorithm>

#include "userspace/base/clock.h"

namespace pyprof::engine {

namespace {

// Names are interned anew after so many samples, at a moment when no window holds their numbers.
constexpr uint64_t kSamplesPerEpoch = 1'000'000;
// How long a sample waits for what is being read of its code objects and files.
constexpr uint64_t kWaitNs = 250'000'000;
constexpr std::size_t kMaxWaiting = 16'384;

}  // namespace

class Aggregator::Source : public aggregate::StackSource {
 public:
  explicit Source(const symbolize::Symbolizer& symbolizer) : symbolizer_(symbolizer) {}
  [[nodiscard]] const model::Stack& stack(uint32_t id) const override {
    return symbolizer_.stack(id);
  }
  [[nodiscard]] const model::Frame& frame(uint32_t id) const override {
    return symbolizer_.frame(id);
  }
  [[nodiscard]] const model::Module& module(uint32_t id) const override {
    return symbolizer_.module(id);
  }

 private:
  const symbolize::Symbolizer& symbolizer_;
};

Aggregator::Aggregator(BatchQueue& queue, symbolize::FileOpener& opener,
                       symbolize::KernelSymbols& kernel, const symbolize::SymbolizerLimits& limits,
                       ForgetStack forget_stack, ForgetCodes forget_codes)
    : queue_(queue),
      forget_stack_(std::move(forget_stack)),
      forget_codes_(std::move(forget_codes)),
      symbolizer_(opener, kernel, limits),
      thread_([this] { run(); }) {}

Aggregator::~Aggregator() {
  queue_.close();
  thread_.join();
}

void Aggregator::run() {
  while (auto batch = queue_.pop()) {
    std::vector<std::shared_ptr<std::promise<void>>> passed;
    {
      const std::lock_guard lock(mutex_);
      for (auto& item : *batch) {
        if (auto* barrier = std::get_if<Barrier>(&item)) {
          passed.push_back(std::move(barrier->passed));
        } else {
          deal_with(item);
        }
      }
      if (!passed.empty() && !waiting_.empty()) symbolizer_.wait_for_lines(monotonic_ns(), kWaitNs);
      count_waiting(monotonic_ns(), !passed.empty());
      house_keeping();
    }
    for (auto& promise : passed)
      promise->set_value();
  }
}

void Aggregator::deal_with(Item& item) {
  if (const auto* sample = std::get_if<model::RawSample>(&item)) {
    count(*sample);
  } else if (auto* stack = std::get_if<model::RawStack>(&item)) {
    if (!waiting_.empty() && symbolizer_.redefines(*stack)) count_waiting_for(stack->key);
    symbolizer_.add_stack(std::move(*stack));
  } else if (auto* code = std::get_if<model::CodeObject>(&item)) {
    symbolizer_.add_code(std::move(*code));
  } else if (auto* task = std::get_if<model::TaskName>(&item)) {
    task_names_.add(std::move(*task));
  } else if (const auto* ended = std::get_if<ProcessEnded>(&item)) {
    symbolizer_.process_exited(ended->process, ended->time_ns);
  }
}

void Aggregator::count(const model::RawSample& sample) {
  const auto symbolized = symbolizer_.symbolize(sample);
  if (!symbolized) {
    ++stats_.unknown_stacks;
    forget_stack_(sample.key);
    return;
  }
  if (symbolized->may_improve && waiting_.size() < kMaxWaiting) {
    waiting_.push_back(sample);
  } else {
    add(sample, symbolized->stack_id);
  }
}

void Aggregator::count_waiting(uint64_t now_ns, bool all) {
  for (; !waiting_.empty() && (all || waiting_.front().time_ns + kWaitNs <= now_ns);
       waiting_.pop_front()) {
    count_now(waiting_.front(), now_ns);
  }
}

void Aggregator::count_waiting_for(model::StackKey key) {
  const uint64_t now_ns = monotonic_ns();
  std::erase_if(waiting_, [&](const model::RawSample& sample) {
    if (sample.key != key) return false;
    count_now(sample, now_ns);
    return true;
  });
}

void Aggregator::count_now(const model::RawSample& sample, uint64_t now_ns) {
  if (const auto symbolized = symbolizer_.symbolize(sample, now_ns)) {
    add(sample, symbolized->stack_id);
  } else {
    ++stats_.unknown_stacks;
  }
}

void Aggregator::add(const model::RawSample& sample, uint32_t stack_id) {
  ++stats_.delivered;
  ++stacks_since_epoch_;
  if (base_.take(sample.weight_ns)) ++counts_[sample.process];
  const auto task = sample.labels.has_task ? task_names_.find(sample.labels.task) : "";
  for (auto& [id, window] : windows_) {
    if (sample.time_ns < window.start_ns || !window.thinner.take(sample.weight_ns)) continue;
    window.builder.add({sample.process, sample.pid, sample.tid, stack_id, 1,
                        window.thinner.period_ns, sample.labels, task});
  }
}

void Aggregator::house_keeping() {
  for (const auto key : symbolizer_.take_evicted())
    forget_stack_(key);
  forget_codes_(symbolizer_.take_evicted_codes());
  symbolizer_.expire(monotonic_ns());
  if (!windows_.empty()) return;
  const bool improved = symbolizer_.take_improved();
  if (!improved && stacks_since_epoch_ < kSamplesPerEpoch && !symbolizer_.tables_full()) return;
  symbolizer_.start_epoch();
  stacks_since_epoch_ = 0;
}

bool Aggregator::Thinner::take(uint64_t weight_ns) {
  credit_ns += weight_ns;
  // Periods are whole nanoseconds: one of rounding must not cost every other sample.
  if (credit_ns + weight_ns / 100 < period_ns) return false;
  credit_ns = credit_ns > period_ns ? std::min(credit_ns - period_ns, period_ns) : 0;
  return true;
}

void Aggregator::set_base_rate(uint32_t rate_hz) {
  const std::lock_guard lock(mutex_);
  base_.period_ns = 1'000'000'000 / std::max(1u, rate_hz);
}

uint64_t Aggregator::open_window(const std::vector<int32_t>& pids, uint64_t start_ns,
                                 uint32_t rate_hz, bool labels) {
  aggregate::BuilderOptions options;
  options.labels = labels;
  options.pids.insert(pids.begin(), pids.end());
  const std::lock_guard lock(mutex_);
  const uint64_t id = next_window_++;
  windows_.emplace(id, Window{aggregate::ProfileBuilder(options), start_ns,
                              Thinner{1'000'000'000 / std::max(1u, rate_hz), 0}});
  return id;
}

model::Profile Aggregator::close_window(
    uint64_t id, const aggregate::WindowInfo& info,
    const std::function<void(aggregate::ProfileBuilder&)>& prepare,
    const aggregate::ProfileBuilder::DescribeProcess& describe) {
  const std::lock_guard lock(mutex_);
  auto& window = windows_.at(id);
  prepare(window.builder);
  auto profile = window.builder.finish(Source(symbolizer_), info, describe);
  windows_.erase(id);
  house_keeping();
  return profile;
}

std::unordered_map<model::ProcessId, uint64_t> Aggregator::take_counts() {
  const std::lock_guard lock(mutex_);
  std::unordered_map<model::ProcessId, uint64_t> counts;
  counts.swap(counts_);
  return counts;
}

AggregatorStats Aggregator::stats() const {
  const std::lock_guard lock(mutex_);
  AggregatorStats stats = stats_;
  stats.lines_lost = symbolizer_.line_stats().lost;
  return stats;
}

}  // namespace pyprof::engine
