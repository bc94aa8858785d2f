// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "userspace/elf/symbols.h"
#include "userspace/model/sample.h"
#include "userspace/symbolize/file_opener.h"

// Names of native functions, from symbol tables that are read when first needed and dropped when
// they take too much memory.
namespace pyprof::symbolize {

struct NativeSymbol {
  std::string function;  // for people; "" = no symbol covers the address
  std::string raw;       // as in the file
  uint64_t start = 0;    // of the function; the address itself if there is no symbol
};

struct NativeSymbolLimits {
  std::size_t table_bytes = 64u << 20;  // symbol tables and addresses of all files
  std::size_t addresses_per_file = 8192;
  uint64_t retry_ns = 30'000'000'000;  // until an unreadable file is tried again
};

// Not thread-safe.
class NativeSymbols {
 public:
  explicit NativeSymbols(FileOpener& opener, NativeSymbolLimits limits = {})
      : opener_(opener), limits_(limits) {}

  // `address` is a virtual address in the file; for a caller's frame, inside its call instruction.
  // The reference holds until the next call.
  const NativeSymbol& find(model::FileId file, uint64_t address, uint64_t now_ns);

  // It is read again when it is next needed.
  void forget(model::FileId file);

  [[nodiscard]] std::size_t files() const { return files_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct File {
    model::FileId id = 0;
    std::optional<elf::SymbolTable> table;  // empty: could not be read at read_ns
    uint64_t read_ns = 0;
    std::unordered_map<uint64_t, NativeSymbol> addresses;
    std::size_t bytes = 0;
  };
  using Files = std::list<File>;  // most recently used first

  File& file(model::FileId id, uint64_t now_ns);
  void load(File& file, uint64_t now_ns);
  void charge(File& file, std::size_t bytes);
  void forget_addresses(File& file);
  void evict_all_but_first();

  FileOpener& opener_;
  NativeSymbolLimits limits_;
  Files files_;
  std::unordered_map<model::FileId, Files::iterator> by_id_;
  std::size_t bytes_ = 0;
};

}  // namespace pyprof::symbolize
