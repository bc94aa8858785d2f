// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/elf/elf_file.h"

namespace pyprof::elf {

// A file's functions, sorted and compact, independent of the ElfFile they came from.
class SymbolTable {
 public:
  struct Entry {
    uint64_t address;
    uint32_t size;  // bit 31: a guess, up to the next symbol
    uint32_t name;  // offset in the names, ends with a NUL
  };
  struct Hit {
    std::string_view name;  // mangled, as in the file; valid while the table lives
    uint64_t start = 0;
    uint64_t bytes = 0;  // 0 = size unknown
  };

  // At most `limit` symbols; the rest is dropped. With those of .gnu_debugdata.
  static SymbolTable from_file(const ElfFile& file, std::size_t limit = 2'000'000);
  // Also with those of the file's separate debug file, instead of .gnu_debugdata.
  static SymbolTable from_files(const ElfFile& file, const ElfFile& debug,
                                std::size_t limit = 2'000'000);

  // From what entries() and names() of another one gave; nothing if they don't fit together.
  static std::optional<SymbolTable> from_parts(std::vector<Entry> entries, std::string names);
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }  // by address
  [[nodiscard]] const std::string& names() const { return names_; }

  // The function that contains the address. Aliases: the global, shortest, first by name wins.
  [[nodiscard]] std::optional<Hit> find(uint64_t address) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t bytes() const;

 private:
  static SymbolTable make(const ElfFile& file, std::vector<Symbol> symbols);
  [[nodiscard]] Hit hit(const Entry& entry) const;

  std::vector<Entry> entries_;
  std::string names_;
};

// C++, Rust and D names for people, without a symbol version ("@@GLIBC_2.34"); the input itself if
// it isn't mangled or is over 4 KiB. Cut with "..." at 16 KiB. Names are hostile: the work is
// bounded.
std::string demangle(std::string_view name);

}  // namespace pyprof::elf
