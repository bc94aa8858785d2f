// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "userspace/base/fd.h"
#include "userspace/model/sample.h"
#include "userspace/symbolize/jit_dump.h"

// Names of code that a JIT compiler made, from the file it leaves for perf: text, lines of "START
// SIZE NAME", both hexadecimal, or a jitdump. The file is the profiled process's: hostile.
namespace pyprof::symbolize {

struct PerfMapLimits {
  std::size_t file_bytes = 64u << 20;  // read of one process, in all
  std::size_t functions = 500'000;     // of one process
  std::size_t name_bytes = 1024;       // the rest of a name is cut off
  std::size_t processes = 256;         // with a map, each holds a descriptor
  std::size_t bytes = 64u << 20;       // of all processes; the least recently used go
  uint64_t reread_ns = 100'000'000;    // at least between two looks at a file
  uint64_t retry_ns = 2'000'000'000;   // at least between two looks for a file that isn't there
};

// The map of one process, which grows as it compiles. Of code that overlaps, the later line counts:
// the memory was used again. Not thread-safe.
class PerfMap {
 public:
  struct Hit {
    std::string_view name;  // until the next read()
    uint64_t start = 0;
  };

  explicit PerfMap(Fd file) : file_(std::move(file)) {}

  // Reads on from where it stopped; from the start if the file shrank.
  // True if there is anything new.
  bool read(const PerfMapLimits& limits);
  [[nodiscard]] std::optional<Hit> find(uint64_t pc) const;
  [[nodiscard]] std::size_t size() const { return functions_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Function {
    uint64_t end = 0;
    std::string name;
  };
  void start_anew();
  bool read_text(const PerfMapLimits& limits);
  bool read_dump(const PerfMapLimits& limits);
  void add_record(const JitDumpRecord& record, const PerfMapLimits& limits);
  void add_line(std::string_view line, const PerfMapLimits& limits);
  void erase_overlapping(uint64_t start, uint64_t end);
  void add(uint64_t start, uint64_t end, std::string_view name);

  void replace(uint64_t start, uint64_t bytes, std::string_view name, const PerfMapLimits& limits);

  Fd file_;
  std::optional<JitDump> dump_;
  uint64_t size_ = 0;                       // of the file at the last look
  uint64_t offset_ = 0;                     // text is read up to here
  std::size_t read_ = 0;                    // bytes in all
  std::string rest_;                        // the start of a line that isn't whole yet
  std::map<uint64_t, Function> functions_;  // by start, none overlapping
  std::size_t bytes_ = 0;
};

// The maps of all processes. Not thread-safe.
class PerfMaps {
 public:
  // Opens the map of a process; invalid if it has none.
  using Opener = std::function<Fd(model::ProcessId)>;

  explicit PerfMaps(Opener opener, PerfMapLimits limits)
      : opener_(std::move(opener)), limits_(limits) {}

  // The function at a program counter, as of the last refresh().
  [[nodiscard]] std::optional<PerfMap::Hit> find(model::ProcessId process, uint64_t pc) const;
  // Reads what came since, if it is time to. 0 if the process has no map, else a number that
  // counts up when there was anything.
  uint64_t refresh(model::ProcessId process, uint64_t now_ns);
  void forget(model::ProcessId process);

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Process {
    model::ProcessId id = 0;
    std::optional<PerfMap> map;
    uint64_t looked_ns = 0;
    uint64_t version = 0;
    std::size_t bytes = 0;
  };
  using Processes = std::list<Process>;  // most recently used first

  void look(Process& process, uint64_t now_ns);
  void evict_all_but_first();

  Opener opener_;
  PerfMapLimits limits_;
  Processes processes_;
  std::unordered_map<model::ProcessId, Processes::iterator> by_id_;
  std::size_t bytes_ = 0;
};

}  // namespace pyprof::symbolize
