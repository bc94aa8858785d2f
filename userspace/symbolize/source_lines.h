// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/elf/dwarf_lines.h"
#include "userspace/model/sample.h"
#include "userspace/symbolize/file_opener.h"

// Lines and inlined functions of native code. DWARF is read by a child process in a sandbox, as
// nothing that reads it withstands hostile files: a file that kills the child, takes too long or
// too much memory has no lines, and that is all. Nothing here waits for the child, unless told to.
namespace pyprof::symbolize {

struct SourceLineLimits {
  uint64_t file_bytes = 512u << 20;     // larger files have no lines
  std::size_t addresses = 65'536;       // remembered; all are forgotten when there are more
  std::size_t bytes = 32u << 20;        // of their names, likewise
  std::size_t in_flight = 32;           // questions the child has
  uint64_t answer_ns = 10'000'000'000;  // for one question; then the child is killed
  uint64_t retry_ns = 30'000'000'000;   // until a file without debug information is looked at
  std::size_t deaths = 16;              // of the child by its files; then there are no lines
};

struct SourceLineStats {
  uint64_t answered = 0;
  uint64_t lost = 0;    // addresses without an answer for any of the reasons above
  uint64_t deaths = 0;  // of the child
};

// Not thread-safe.
class SourceLines {
 public:
  struct Lookup {
    bool pending = false;  // version() changes when the answer is there
    // Innermost inlined function first, the function that holds the code last; empty if the file
    // says nothing. Valid until the next call. nullptr while pending.
    const std::vector<elf::SourceFrame>* frames = nullptr;
  };

  explicit SourceLines(FileOpener& opener, SourceLineLimits limits = {})
      : opener_(opener), limits_(limits) {}
  ~SourceLines();
  SourceLines(const SourceLines&) = delete;
  SourceLines& operator=(const SourceLines&) = delete;

  Lookup find(model::FileId file, uint64_t address, uint64_t now_ns);
  // Whether the file has lines is looked at again.
  void forget(model::FileId file) { files_.erase(file); }
  // Takes in what the child has said.
  void refresh(uint64_t now_ns);
  // The same, but waits up to `max_ns` until nothing is pending.
  void wait(uint64_t now_ns, uint64_t max_ns);

  [[nodiscard]] uint64_t version() const { return version_; }
  [[nodiscard]] const SourceLineStats& stats() const { return stats_; }
  [[nodiscard]] pid_t child() const { return child_; }  // -1 = none runs

 private:
  struct Key {
    model::FileId file = 0;
    uint64_t address = 0;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<uint64_t>{}((uint64_t{key.file} << 40 ^ key.address) *
                                   0x9e3779b97f4a7c15ULL);
    }
  };
  using Frames = std::vector<elf::SourceFrame>;
  struct File {
    bool usable = false;
    uint64_t looked_ns = 0;
  };

  bool usable(model::FileId file, uint64_t now_ns);
  void settle(const Key& key, Frames frames);
  void lose(const Key& key);
  void ask_next(uint64_t now_ns);
  bool ask(const Key& key);
  void receive(uint64_t now_ns);
  bool start_child();
  void child_is_gone();
  bool end_child();

  FileOpener& opener_;
  SourceLineLimits limits_;
  std::unordered_map<model::FileId, File> files_;
  std::unordered_map<Key, std::optional<Frames>, KeyHash> answers_;  // nullopt = pending
  std::deque<Key> waiting_;
  std::deque<Key> asked_;  // of the child, which answers in order
  std::size_t bytes_ = 0;
  uint64_t progress_ns_ = 0;  // of the child: its last answer, or when it got something to do
  Fd socket_;
  pid_t child_ = -1;
  uint64_t version_ = 0;
  SourceLineStats stats_;
};

}  // namespace pyprof::symbolize
