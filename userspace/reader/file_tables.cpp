// SPDX-License-Identifier: Apache-2.0
#include "userspace/reader/file_tables.h"

#include <algorithm>
#include <string>

#include "userspace/elf/debug_files.h"
#include "userspace/python/describe.h"
#include "userspace/reader/encoding.h"

namespace pyprof::reader {
namespace {

constexpr std::size_t kMaxRows = std::size_t{1} << 24;  // 24 bits of an index entry
constexpr std::size_t kMaxIndex = std::size_t{1} << 22;
constexpr uint32_t kTagMask = 3;
constexpr uint32_t kDictionaryTag = 2;
constexpr uint32_t kRuleMask = 0x3fff;

void put_interpreter(Writer& writer, const python::InterpreterFile& file) {
  writer.put(file.version);
  writer.put(file.reason);
  writer.put(file.runtime_address);
  writer.put(file.config);
  writer.put(file.runtime);
  for (const auto& text : {file.full_version, file.unsupported, file.path, file.build}) {
    writer.put_text(text);
  }
}

bool is_sound(const python::InterpreterFile& file) {
  return static_cast<std::size_t>(file.reason) < model::kUnsupportedReasons &&
         static_cast<uint8_t>(file.runtime.attributes) <=
             static_cast<uint8_t>(python::AttributeStorage::kDict) &&
         file.config.ts_bytes <= WIRE_MAX_STATE_BYTES &&
         file.config.interp_bytes <= WIRE_MAX_STATE_BYTES &&
         file.config.chain <= WIRE_PY_CHAIN_COPIES && file.config.lasti_shift <= 1;
}

std::optional<python::InterpreterFile> read_interpreter(elf::ByteReader& reader) {
  python::InterpreterFile file;
  file.version = reader.read<uint16_t>();
  file.reason = reader.read<model::Unsupported>();
  file.runtime_address = reader.read<uint64_t>();
  file.config = reader.read<wire_python_config>();
  file.runtime = reader.read<python::RuntimeOffsets>();
  for (auto* text : {&file.full_version, &file.unsupported, &file.path, &file.build}) {
    *text = read_text(reader);
  }
  if (!is_sound(file)) reader.fail();
  return file;
}

bool rows_are_sound(const FileTables& tables) {
  return std::all_of(tables.packed.rows.begin(), tables.packed.rows.end(), [&](uint32_t row) {
    const uint32_t tag = row & kTagMask;
    return tag < kDictionaryTag ||
           (tag == kDictionaryTag && (row >> 2 & kRuleMask) < tables.rules.size());
  });
}

bool index_is_sound(const FileTables& tables) {
  const std::size_t rows = tables.packed.rows.size();
  return std::all_of(tables.packed.index.begin(), tables.packed.index.end(), [&](uint32_t entry) {
    const std::size_t first = entry >> 8, count = entry & 0xff;
    return first + count <= rows && first % WIRE_ROW_CHUNK + count <= WIRE_ROW_CHUNK;
  });
}

bool is_file_name(std::string_view name) {
  return name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

bool is_sound(const FileTables& tables) {
  if (!is_file_name(tables.debug_link)) return false;
  if (tables.packed.rows.empty() != tables.packed.index.empty()) return false;
  if (tables.end_address < tables.first_address) return false;
  const uint64_t text_bytes = tables.end_address - tables.first_address;
  const uint64_t page_bytes = uint64_t{1} << WIRE_PAGE_BITS;
  return tables.packed.index.size() <= text_bytes / page_bytes + 1 && rows_are_sound(tables) &&
         index_is_sound(tables);
}

}  // namespace

FileTables parse_tables(Fd file, std::string_view path, std::size_t max_rows) {
  FileTables tables;
  const auto elf = elf::ElfFile::open(std::move(file));
  tables.interpreter = python::inspect_mapped(elf, path);
  if (!elf) return tables;
  tables.tsd = python::inspect_libc(*elf);
  tables.asyncio = python::inspect_asyncio(*elf);
  if (auto link = elf::debug_link(*elf)) tables.debug_link = std::move(link->name);
  if (max_rows == 0) return tables;
  const auto rows = elf::read_unwind_table(*elf, {.max_rows = max_rows});
  if (!rows || rows->rows.empty()) return tables;
  elf::RuleDictionary dictionary;
  tables.first_address = rows->first_address;
  tables.end_address = rows->end_address;
  tables.packed = elf::pack(*rows, dictionary);
  tables.rules = dictionary.rules();
  return tables;
}

std::vector<uint8_t> encode(const FileTables& tables) {
  Writer writer;
  writer.put(tables.first_address);
  writer.put(tables.end_address);
  writer.put_all(tables.rules);
  writer.put_all(tables.packed.rows);
  writer.put_all(tables.packed.index);
  writer.put_optional(tables.tsd);
  writer.put_optional(tables.asyncio);
  writer.put_text(tables.debug_link);
  writer.put(static_cast<uint8_t>(tables.interpreter.has_value()));
  if (tables.interpreter) put_interpreter(writer, *tables.interpreter);
  return writer.take();
}

std::optional<FileTables> decode(std::span<const uint8_t> bytes) {
  elf::ByteReader reader(bytes);
  FileTables tables;
  tables.first_address = reader.read<uint64_t>();
  tables.end_address = reader.read<uint64_t>();
  tables.rules = read_all<uint32_t>(reader, WIRE_DICT_RULES);
  tables.packed.rows = read_all<uint32_t>(reader, kMaxRows);
  tables.packed.index = read_all<uint32_t>(reader, kMaxIndex);
  tables.tsd = read_optional<python::TsdLayout>(reader);
  tables.asyncio = read_optional<python::AsyncioLayout>(reader);
  tables.debug_link = read_text(reader);
  if (reader.read<uint8_t>() != 0) tables.interpreter = read_interpreter(reader);
  if (reader.failed() || !reader.at_end() || !is_sound(tables)) return std::nullopt;
  return tables;
}

}  // namespace pyprof::reader
