// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/elf/symbols.h"

// What is wanted of one file to name its code, as a value and as bytes.
namespace pyprof::reader {

struct FileSymbols {
  elf::SymbolTable table;
  bool own_debug_info = false;         // it has DWARF itself
  std::optional<uint32_t> debug_file;  // the candidate that is its separate debug file
};

inline constexpr std::size_t kMaxCandidates = 8;

// Parses the file, which may be no ELF file, and that one of the candidates that belongs to it; of
// those, at most kMaxCandidates are looked at.
[[nodiscard]] FileSymbols parse_symbols(Fd file, std::span<const Fd> candidates);

[[nodiscard]] std::vector<uint8_t> encode(const FileSymbols& symbols);
// Empty unless everything is in its range, as in file_tables.h.
[[nodiscard]] std::optional<FileSymbols> decode_symbols(std::span<const uint8_t> bytes,
                                                        std::size_t candidates);

}  // namespace pyprof::reader
