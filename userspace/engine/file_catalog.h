// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "userspace/elf/unwind_table.h"
#include "userspace/engine/process_directory.h"
#include "userspace/probe/tables.h"
#include "userspace/process/file_table.h"
#include "userspace/python/interpreter.h"
#include "userspace/symbolize/native_symbols.h"

namespace pyprof::engine {

// What is known of one executable file, read once.
struct LoadedFile {
  std::optional<probe::FilePlacement> placement;  // empty: no rows, or no room for them
  uint64_t first_address = 0;                     // of the row index
  uint64_t end_address = 0;
  std::optional<python::InterpreterFile> interpreter;
  std::optional<python::TsdLayout> tsd;
  std::optional<python::AsyncioLayout> asyncio;
  bool has_debug_info = false;  // in the file itself
};

// The files behind the numbers of FileTable: their unwind rows in the kernel, what they say of
// CPython, and, kept open, their symbols. Files stay open so that symbols can still be read when
// the last process that mapped them is gone.
class FileCatalog : public symbolize::FileOpener {
 public:
  static constexpr std::size_t kMaxOpenFiles = 4096;
  static constexpr std::size_t kMaxDebugFiles = 1024;

  FileCatalog(process::FileTable& files, probe::TableStore& tables,
              const ProcessDirectory& directory)
      : files_(files), tables_(tables), directory_(directory) {}

  // Publishing thread: what is known of the file; nullptr = load() it first.
  [[nodiscard]] const LoadedFile* find(model::FileId id) const;
  // Publishing thread: reads a file; may take 100 ms
  // for a big one. A separate debug file is looked for as process `pid` sees it, then as we do.
  const LoadedFile& load(model::FileId id, Fd fd, int32_t pid);

  // Any thread.
  std::optional<elf::ElfFile> open(model::FileId id) override;
  std::optional<elf::ElfFile> open_debug(model::FileId id) override;
  Fd open_debug_info(model::FileId id) override;
  model::Module module(model::FileId id) override;
  bool is_interpreter(model::FileId id) override;
  Fd open_perf_map(model::ProcessId process) override;

  // Files whose rows found no room in the kernel's table.
  [[nodiscard]] uint64_t unplaced() const;

 private:
  using Files = std::unordered_map<model::FileId, Fd>;
  void read(LoadedFile& file, const elf::ElfFile& elf);
  // A descriptor of its own, invalid if the file is not among them.
  [[nodiscard]] Fd duplicate(const Files& files, model::FileId id) const;

  process::FileTable& files_;
  probe::TableStore& tables_;
  const ProcessDirectory& directory_;
  elf::RuleDictionary dictionary_;
  mutable std::mutex mutex_;  // guards what follows; entries never move or go
  std::unordered_map<model::FileId, std::unique_ptr<LoadedFile>> loaded_;
  Files open_;
  Files debug_;  // separate debug files
  uint64_t unplaced_ = 0;
};

}  // namespace pyprof::engine
