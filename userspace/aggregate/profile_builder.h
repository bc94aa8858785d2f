// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "userspace/model/profile.h"

// Counts the samples of one window and makes a Profile of them. While the window is open only
// numbers are kept; names are copied once, at the end. It does not symbolize and does not decide
// what is shown (view.h). Not thread-safe: one thread owns a builder.
namespace pyprof::aggregate {

// Where interned stacks live. Ids given to ProfileBuilder::add() must stay valid until finish().
class StackSource {
 public:
  virtual ~StackSource() = default;
  [[nodiscard]] virtual const model::Stack& stack(
      uint32_t id) const = 0;  // frames: ids for frame()
  [[nodiscard]] virtual const model::Frame& frame(
      uint32_t id) const = 0;  // module: 1 + id for module()
  [[nodiscard]] virtual const model::Module& module(uint32_t id) const = 0;
};

// One sample, or several equal ones, of an interned stack.
struct StackSample {
  model::ProcessId process = 0;
  int32_t pid = 0;
  int32_t tid = 0;
  uint32_t stack = 0;  // id for StackSource::stack()
  uint64_t count = 1;
  uint64_t weight_ns = 0;
  model::RawLabels labels{};  // used with BuilderOptions::labels only
  std::string_view task{};    // name of labels.task, empty = unknown; copied
};

struct BuilderOptions {
  std::unordered_set<int32_t> pids;  // only these processes; empty = all
  std::size_t max_rows = 200'000;    // distinct (thread, stack, labels)
  std::size_t max_labels = 65'536;   // distinct; beyond, a sample has none
  bool labels = false;               // samples are told apart by their labels
  std::size_t max_threads = 65'536;
};

// What the builder can't know of a window. `quality`: kernel_ticks, lost and faults are taken
// over, the counts of samples are made here.
struct WindowInfo {
  std::string host;
  std::string tool_version;
  int64_t start_unix_ns = 0;
  uint64_t duration_ns = 0;
  uint32_t rate_hz = 0;
  uint64_t period_ns = 0;
  std::string event;
  model::Quality quality;
};

class ProfileBuilder {
 public:
  // Called once per process at the end; `process` and `pid` of the answer are set by the builder.
  using DescribeProcess = std::function<model::ProcessInfo(model::ProcessId, int32_t pid)>;

  explicit ProfileBuilder(BuilderOptions options = {});

  // Over max_rows a sample counts for the stack "[other]" of its thread; over max_threads for a
  // thread "[other]" of process 0. So sums stay whole, and no count ever falls.
  void add(const StackSample& sample);

  // Names a thread and adds CPU time the scheduler measured. A thread known from here alone is in
  // the profile if it used CPU. Empty names leave the earlier ones.
  void add_thread(model::ProcessId process, int32_t pid, int32_t tid, std::string_view comm,
                  std::string_view python_name, uint64_t cpu_ns);

  [[nodiscard]] uint64_t samples() const { return samples_; }
  [[nodiscard]] uint64_t overflowed() const { return overflowed_; }  // samples in "[other]"

  // Makes the profile and empties the builder for the next window.
  [[nodiscard]] model::Profile finish(const StackSource& source, const WindowInfo& window,
                                      const DescribeProcess& describe);

 private:
  struct Counts {
    uint64_t count = 0;
    uint64_t weight_ns = 0;
  };
  struct RowKey {
    uint32_t thread = 0;  // index
    uint32_t stack = 0;
    uint32_t labels = 0;  // as in model::Sample
    auto operator<=>(const RowKey&) const = default;
  };
  struct RowKeyHash {
    std::size_t operator()(const RowKey& key) const noexcept;
  };
  struct LabelsHash {
    std::size_t operator()(const model::RawLabels& labels) const noexcept;
  };
  struct ThreadKey {
    model::ProcessId process = 0;
    int32_t tid = 0;
    bool operator==(const ThreadKey&) const = default;
  };
  struct ThreadKeyHash {
    std::size_t operator()(const ThreadKey& key) const noexcept;
  };
  struct ThreadState {
    model::ProcessId process = 0;
    int32_t pid = 0;
    model::Thread thread;  // `process` unused until finish()
    Counts other;
  };

  [[nodiscard]] bool wanted(int32_t pid) const;
  [[nodiscard]] uint32_t labels_index(const StackSample& sample);
  [[nodiscard]] uint32_t thread_index(model::ProcessId process, int32_t pid, int32_t tid);
  [[nodiscard]] std::vector<uint32_t> place_threads(model::Profile& profile,
                                                    const DescribeProcess& describe) const;
  void clear();

  const BuilderOptions options_;
  std::vector<ThreadState> threads_;  // [0]: the thread of those over max_threads
  std::unordered_map<ThreadKey, uint32_t, ThreadKeyHash> thread_indexes_;
  std::unordered_map<RowKey, Counts, RowKeyHash> rows_;
  std::vector<model::Labels> labels_;
  std::unordered_map<model::RawLabels, uint32_t, LabelsHash> label_indexes_;  // as in model::Sample
  uint64_t samples_ = 0;
  uint64_t overflowed_ = 0;
};

}  // namespace pyprof::aggregate
