// SPDX-License-Identifier: Apache-2.0
#include "userspace/reader/file_symbols.h"

#include <fcntl.h>

#include <algorithm>
#include <string>

#include "userspace/elf/debug_files.h"
#include "userspace/reader/encoding.h"

namespace pyprof::reader {
namespace {

constexpr uint32_t kNoDebugFile = UINT32_MAX;
constexpr std::size_t kMaxSymbols = 2'000'000;
constexpr std::size_t kMaxNameBytes = std::size_t{1} << 30;

std::optional<elf::ElfFile> open_copy(const Fd& fd) {
  auto elf = elf::ElfFile::open(Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)));
  if (!elf) return std::nullopt;
  return *std::move(elf);
}

}  // namespace

FileSymbols parse_symbols(Fd file, std::span<const Fd> candidates) {
  FileSymbols found;
  const auto elf = elf::ElfFile::open(std::move(file));
  if (!elf) return found;
  found.own_debug_info = elf::has_debug_info(*elf);
  for (uint32_t i = 0; i < std::min(candidates.size(), kMaxCandidates); ++i) {
    const auto debug = open_copy(candidates[i]);
    if (!debug || !elf::is_debug_file_of(*elf, *debug, candidates[i])) continue;
    found.debug_file = i;
    found.table = elf::SymbolTable::from_files(*elf, *debug, kMaxSymbols);
    return found;
  }
  found.table = elf::SymbolTable::from_file(*elf, kMaxSymbols);
  return found;
}

std::vector<uint8_t> encode(const FileSymbols& symbols) {
  Writer writer;
  writer.put(symbols.debug_file.value_or(kNoDebugFile));
  writer.put(static_cast<uint8_t>(symbols.own_debug_info));
  writer.put_all(symbols.table.entries());
  writer.put_all(symbols.table.names());
  return writer.take();
}

std::optional<FileSymbols> decode_symbols(std::span<const uint8_t> bytes, std::size_t candidates) {
  elf::ByteReader reader(bytes);
  FileSymbols symbols;
  if (const auto debug_file = reader.read<uint32_t>(); debug_file != kNoDebugFile) {
    if (debug_file >= candidates) reader.fail();
    symbols.debug_file = debug_file;
  }
  symbols.own_debug_info = reader.read<uint8_t>() != 0;
  auto entries = read_all<elf::SymbolTable::Entry>(reader, kMaxSymbols);
  const auto name_bytes = reader.read<uint32_t>();
  if (name_bytes > kMaxNameBytes) reader.fail();
  const auto names = reader.take(name_bytes);
  if (reader.failed() || !reader.at_end()) return std::nullopt;
  auto table =
      elf::SymbolTable::from_parts(std::move(entries), std::string(names.begin(), names.end()));
  if (!table) return std::nullopt;
  symbols.table = *std::move(table);
  return symbols;
}

}  // namespace pyprof::reader
