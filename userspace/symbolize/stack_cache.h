// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "userspace/model/sample.h"

// The stacks the kernel has sent, least recently sampled ones dropped first.
namespace pyprof::symbolize {

// A raw stack resolved to frames, but for the two positions that each sample brings along.
struct PreparedStack {
  std::vector<uint32_t> frames;  // the Symbolizer's numbers of frames or chains, innermost first
  std::optional<uint32_t> leaf;  // index in `frames` of the innermost native or kernel frame
  std::optional<uint32_t> python_leaf;  // of the innermost Python frame, if it can be read
  std::optional<uint32_t> innermost_native;
  model::PythonFrame python_leaf_code;
  bool has_python = false;
  bool leaf_in_kernel = false;
  bool leaf_runs_python = false;  // the leaf is an eval activation with Python frames
  bool leaf_beside_eval = false;
  bool unnamed_python = false;
  bool incomplete = false;  // a name or line that may still come would improve it
  uint64_t names_seen = 0;  // code objects and lines that had come before it was made
  uint64_t made_ns = 0;
  bool has_jit = false;      // a frame in memory without a file
  uint64_t jit_version = 0;  // of the perf map it was named from
  std::unordered_map<uint64_t, uint32_t>
      stack_ids;  // (leaf frame << 32 | Python leaf frame) -> stack
};

// Not thread-safe.
class StackCache {
 public:
  struct Entry {
    model::RawStack raw;
    std::optional<PreparedStack> prepared;  // of `epoch`
    uint32_t epoch = 0;
    std::size_t bytes = 0;
  };

  explicit StackCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void add(model::RawStack stack);  // replaces one of the same key
  // Whether add() would replace a stack of other code objects. The key is made of addresses alone:
  // it comes again when an address has got another object.
  [[nodiscard]] bool redefines(const model::RawStack& stack) const;
  // Marks it as used. Holds until the next call of a function that is not const.
  Entry* find(model::StackKey key);
  // To be called after an entry grew; may evict others, never this one.
  void update_bytes(Entry& entry);
  void drop_processes(const std::unordered_set<model::ProcessId>& processes);

  // Keys that were dropped since the last call. At most 65,536: an older key that is not handed out
  // comes back as an unknown stack.
  std::vector<model::StackKey> take_evicted();

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  using Entries = std::list<Entry>;  // most recently used first
  Entries::iterator evict(Entries::iterator entry);

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  Entries entries_;
  std::unordered_map<model::StackKey, Entries::iterator> by_key_;
  std::vector<model::StackKey> evicted_;
};

}  // namespace pyprof::symbolize
