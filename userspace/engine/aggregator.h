// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "userspace/aggregate/profile_builder.h"
#include "userspace/engine/items.h"
#include "userspace/engine/task_names.h"
#include "userspace/symbolize/symbolizer.h"

namespace pyprof::engine {

struct AggregatorStats {
  uint64_t delivered = 0;       // samples symbolized
  uint64_t unknown_stacks = 0;  // ticks whose stack userspace does not have
  uint64_t lines_lost = 0;      // addresses whose line could not be read
};

// The thread that names stacks and counts samples into the windows that are open.
class Aggregator {
 public:
  using ForgetStack = std::function<void(model::StackKey)>;
  using ForgetCodes =
      std::function<void(const std::vector<std::pair<model::ProcessId, uint64_t>>&)>;

  Aggregator(BatchQueue& queue, symbolize::FileOpener& opener, symbolize::KernelSymbols& kernel,
             const symbolize::SymbolizerLimits& limits, ForgetStack forget_stack,
             ForgetCodes forget_codes);
  ~Aggregator();
  Aggregator(const Aggregator&) = delete;
  Aggregator& operator=(const Aggregator&) = delete;

  // Samples of the processes (empty = all) from `start_ns` on are counted, thinned to the rate if
  // the kernel samples faster for someone else; told apart by their labels if `labels`.
  uint64_t open_window(const std::vector<int32_t>& pids, uint64_t start_ns, uint32_t rate_hz,
                       bool labels);
  // Adds what `prepare` knows of threads and makes the profile.
  model::Profile close_window(uint64_t id, const aggregate::WindowInfo& info,
                              const std::function<void(aggregate::ProfileBuilder&)>& prepare,
                              const aggregate::ProfileBuilder::DescribeProcess& describe);

  // The rate that take_counts() is thinned to.
  void set_base_rate(uint32_t rate_hz);

  // Delivered samples by process since the last call, for metrics.
  std::unordered_map<model::ProcessId, uint64_t> take_counts();
  [[nodiscard]] AggregatorStats stats() const;

 private:
  // Takes one sample for every period of CPU time, so that what is counted does not depend on how
  // fast the kernel samples.
  struct Thinner {
    uint64_t period_ns = 1;
    uint64_t credit_ns = 0;
    bool take(uint64_t weight_ns);
  };
  struct Window {
    aggregate::ProfileBuilder builder;
    uint64_t start_ns = 0;
    Thinner thinner;
  };
  class Source;

  void run();
  void deal_with(Item& item);
  void count(const model::RawSample& sample);
  void count_waiting(uint64_t now_ns, bool all);
  void count_waiting_for(model::StackKey key);
  void count_now(const model::RawSample& sample, uint64_t now_ns);
  void add(const model::RawSample& sample, uint32_t stack_id);
  void house_keeping();

  BatchQueue& queue_;
  ForgetStack forget_stack_;
  ForgetCodes forget_codes_;
  mutable std::mutex mutex_;  // guards what follows
  symbolize::Symbolizer symbolizer_;
  TaskNames task_names_;
  std::map<uint64_t, Window> windows_;
  uint64_t next_window_ = 1;
  Thinner base_;
  uint64_t stacks_since_epoch_ = 0;
  std::unordered_map<model::ProcessId, uint64_t> counts_;
  AggregatorStats stats_;
  std::deque<model::RawSample> waiting_;  // for names that are being read, oldest first
  std::thread thread_;
};

}  // namespace pyprof::engine
