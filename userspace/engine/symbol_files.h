// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "userspace/debuginfod/client.h"
#include "userspace/engine/file_catalog.h"
#include "userspace/engine/process_directory.h"
#include "userspace/process/file_table.h"
#include "userspace/reader/reader_process.h"
#include "userspace/symbolize/file_opener.h"

namespace pyprof::engine {

// Of all time, what may be lost to files that turn out not to be readable.
class LossBudget {
 public:
  [[nodiscard]] bool allows(uint64_t now_ns);
  void spend(uint64_t ns) { left_ns_ -= static_cast<int64_t>(ns); }

 private:
  static constexpr int64_t kMostNs = 10'000'000'000;
  static constexpr uint64_t kRefillPart = 10;  // a tenth of what passes
  int64_t left_ns_ = kMostNs;
  uint64_t refilled_ns_ = 0;
};

// What the symbolizing thread wants to know of the catalog's files. Symbol tables are parsed by a
// pyebpf-reader of its own. May block, see mapped_file.h.
class SymbolFiles : public symbolize::FileOpener {
 public:
  static constexpr std::size_t kMaxDebugFiles = 1024;

  SymbolFiles(process::FileTable& files, const FileCatalog& catalog,
              const ProcessDirectory& directory, std::string reader_program,
              debuginfod::Options debuginfod)
      : files_(files),
        catalog_(catalog),
        directory_(directory),
        reader_(std::move(reader_program)),
        downloads_(std::move(debuginfod)) {}

  std::optional<elf::SymbolTable> symbols(model::FileId id) override;
  Fd open_debug_info(model::FileId id) override;
  model::Module module(model::FileId id) override;
  bool is_interpreter(model::FileId id) override;
  Fd open_perf_map(model::ProcessId process) override;
  std::vector<model::FileId> take_improved() override;

  // Debug files that come from servers.
  [[nodiscard]] debuginfod::Client& downloads() { return downloads_; }

  // Files without names, by reason. Any thread.
  [[nodiscard]] uint64_t failures(reader::Failure reason) const {
    return failures_[static_cast<std::size_t>(reason)];
  }

 private:
  // Where a file's DWARF and its other symbols are.
  struct DebugInfo {
    Fd separate;         // invalid = there is no separate debug file
    bool own = false;    // the file itself has DWARF
    bool asked = false;  // servers for it
  };
  [[nodiscard]] std::vector<Fd> debug_candidates(model::FileId id, int32_t pid) const;
  void remember(model::FileId id, const reader::FileSymbols& found, std::vector<Fd>& candidates);
  [[nodiscard]] reader::SymbolResult read(const Fd& file, const std::vector<Fd>& candidates);

  process::FileTable& files_;
  const FileCatalog& catalog_;
  const ProcessDirectory& directory_;
  reader::ReaderProcess reader_;
  LossBudget budget_;
  std::unordered_map<model::FileId, DebugInfo> debug_;
  debuginfod::Client downloads_;
  std::unordered_multimap<std::string, model::FileId> awaited_;  // by build-id; of debug_
  std::array<std::atomic<uint64_t>, reader::kFailures> failures_{};
};

}  // namespace pyprof::engine
