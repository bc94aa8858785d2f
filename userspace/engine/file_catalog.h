// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "userspace/elf/unwind_table.h"
#include "userspace/probe/tables.h"
#include "userspace/process/file_table.h"
#include "userspace/python/interpreter.h"
#include "userspace/reader/file_reader.h"

namespace pyprof::engine {

// What is known of one executable file. Read by the publishing thread only, but for `interpreter`
// and `debug_link`, which never change.
struct LoadedFile {
  enum class Rows : uint8_t {
    kNone,     // it has none, or could not be read
    kPlaced,   // `placement` holds them
    kEvicted,  // nobody used them and others needed the room: to be read again
    kStarved,  // there is no room, and none can be made
  };
  Rows rows = Rows::kNone;
  probe::FilePlacement placement;
  uint64_t first_address = 0;  // of the row index
  uint64_t end_address = 0;
  std::optional<python::InterpreterFile> interpreter;
  std::optional<python::TsdLayout> tsd;
  std::optional<python::AsyncioLayout> asyncio;
  std::string debug_link;
  uint32_t users = 0;  // published processes
  uint64_t last_use_ns = 0;
};

// The files behind the numbers of FileTable: their unwind rows in the kernel, what they say of
// CPython, and, kept open, their symbols. Files stay open so that symbols can still be read when
// the last process that mapped them is gone. Rows that nobody uses make room for those that
// somebody needs.
class FileCatalog {
 public:
  static constexpr std::size_t kMaxOpenFiles = 4096;

  FileCatalog(process::FileTable& files, probe::TableStore& tables)
      : files_(files), tables_(tables) {}

  // Publishing thread, as all up to the next comment. nullptr or kEvicted = it has to be read.
  [[nodiscard]] const LoadedFile* find(model::FileId id) const;
  // The descriptor for that: takes over `fd` and gives a copy; an earlier one if `fd` is not valid.
  // `pid` has it mapped.
  [[nodiscard]] Fd keep_open(model::FileId id, Fd fd, int32_t pid);
  // Takes in what was read of a file, also again.
  void place(model::FileId id, const reader::ReadResult& result);
  // A process with tables that point at the file's rows begins or ends.
  void add_user(model::FileId id);
  void remove_user(model::FileId id);
  // Evicts while the kernel's arrays are nearly full or a file is kStarved; room comes free after
  // TableStore::kGraceNs. To be called every second or so.
  void make_room();
  // The file is kStarved and would find room now: it is to be read again.
  [[nodiscard]] bool would_fit(model::FileId id) const;

  struct OpenFile {
    Fd fd;
    int32_t pid = 0;  // that had it mapped when it was opened
  };
  // Any thread, as all that follow. A copy; invalid if the file is not open.
  [[nodiscard]] OpenFile duplicate(model::FileId id) const;
  // For an address of the file: the rule in full, of wire.h. Nothing if the file was not read yet,
  // or its rows had to go.
  [[nodiscard]] std::optional<uint32_t> rule(model::FileId id, uint64_t address) const;
  // Files whose rows find no room in the kernel's table now.
  [[nodiscard]] uint64_t unplaced() const;
  [[nodiscard]] uint64_t evicted() const;

 private:
  struct Need {
    uint32_t rows = 0;
    uint32_t index = 0;
  };
  // Of a file that was read.
  struct Readable {
    bool rows = false;
    probe::FilePlacement placement;
    uint64_t first_address = 0;
  };
  void place_rows(model::FileId id, LoadedFile& file, const reader::FileTables& tables);
  [[nodiscard]] std::vector<uint32_t> translate(const reader::FileTables& tables);
  void evict_for(const Need& need);
  void join_room();
  bool evict_one();
  LoadedFile& slot(model::FileId id);

  process::FileTable& files_;
  probe::TableStore& tables_;
  elf::RuleDictionary dictionary_;
  std::unordered_map<model::FileId, Need> starved_;  // publishing thread only
  mutable std::mutex mutex_;  // guards what follows; entries never move or go
  std::unordered_map<model::FileId, std::unique_ptr<LoadedFile>> loaded_;
  std::unordered_map<model::FileId, OpenFile> open_;
  std::unordered_map<model::FileId, Readable> readable_;
  uint64_t unplaced_ = 0;
  uint64_t evicted_ = 0;
};

}  // namespace pyprof::engine
