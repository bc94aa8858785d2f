// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "userspace/model/sample.h"
#include "userspace/python/line_table.h"

// The code objects the kernel has captured, by process and identity.
namespace pyprof::symbolize {

class CachedCode {
 public:
  explicit CachedCode(model::CodeObject code);

  [[nodiscard]] const std::string& qualname() const { return code_.qualname; }
  [[nodiscard]] const std::string& filename() const { return code_.filename; }
  [[nodiscard]] uint32_t first_line() const { return code_.first_line; }
  [[nodiscard]] bool complete() const { return code_.complete; }
  // The line that runs at `lasti`; 0 if the table was cut before it. Decodes the table once.
  uint32_t line(int32_t lasti);
  // An upper bound, decoded table included.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  model::CodeObject code_;
  std::optional<python::LineTable> lines_;
  std::size_t bytes_;
};

struct CodeCacheLimits {
  std::size_t bytes = 32u << 20;
  uint64_t exit_grace_ns = 10'000'000'000;  // samples of a process still come after its exit
};

// Not thread-safe.
class CodeCache {
 public:
  explicit CodeCache(CodeCacheLimits limits = {}) : limits_(limits) {}

  // Returns whether it replaced one, such as a cut one that was read again. What is whole stays:
  // the cut record and what was read for it come by different threads, in any order.
  bool add(model::CodeObject code);
  // nullptr if never captured or evicted. Holds until the next call of add() or expire().
  CachedCode* find(model::ProcessId process, uint64_t id);

  void process_exited(model::ProcessId process, uint64_t now_ns);
  // Drops what belongs to processes whose grace is over, and returns these.
  std::vector<model::ProcessId> expire(uint64_t now_ns);

  // Process and id of what had no room since the last call, for the caller to have it sent again.
  std::vector<std::pair<model::ProcessId, uint64_t>> take_evicted() {
    return std::exchange(evicted_, {});
  }

  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return codes_.size(); }

 private:
  struct Item {
    model::ProcessId process;
    uint64_t id;
    CachedCode code;
  };
  using Items = std::list<Item>;  // most recently used first
  struct Exit {
    model::ProcessId process;
    uint64_t due_ns;
  };

  void erase(Items::iterator item);
  void drop_process(model::ProcessId process);

  CodeCacheLimits limits_;
  Items codes_;
  std::unordered_map<model::ProcessId, std::unordered_map<uint64_t, Items::iterator>> by_process_;
  std::deque<Exit> exits_;
  std::vector<std::pair<model::ProcessId, uint64_t>> evicted_;
  std::size_t bytes_ = 0;
};

}  // namespace pyprof::symbolize
