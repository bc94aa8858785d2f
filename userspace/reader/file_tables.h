// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/elf/unwind_table.h"
#include "userspace/python/interpreter.h"

// What is wanted of one executable file, as a value and as bytes: between the process that parses
// files and this one, and in the cache on disk.
namespace pyprof::reader {

struct FileTables {
  uint64_t first_address = 0;  // of the row index; packed is empty if the file has no rows
  uint64_t end_address = 0;
  std::vector<uint32_t> rules;  // the dictionary that the rows' indexes are of
  elf::PackedTable packed;
  std::optional<python::InterpreterFile> interpreter;
  std::optional<python::TsdLayout> tsd;
  std::optional<python::AsyncioLayout> asyncio;
  std::string debug_link;  // name of its separate debug file, never with a '/'; "" = none is named
};

// Parses the file, which may be no ELF file; `path` is what it is known by. At most `max_rows`;
// with 0 everything but the rows.
[[nodiscard]] FileTables parse_tables(Fd file, std::string_view path, std::size_t max_rows);

// In the layout of this build of the program.
[[nodiscard]] std::vector<uint8_t> encode(const FileTables& tables);

// Empty unless every count, index and number of a closed set is in its range: the bytes may come
// from a process that a hostile file has taken over.
[[nodiscard]] std::optional<FileTables> decode(std::span<const uint8_t> bytes);

}  // namespace pyprof::reader
