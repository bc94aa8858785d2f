// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/line_table.h"

#include <algorithm>
#include <limits>

namespace pyprof::python {
namespace {

constexpr uint32_t kMaxCodeBytes = 1u << 30;
constexpr int64_t kMaxLine = std::numeric_limits<int32_t>::max();

// Kinds of a location entry, see InternalDocs/code_objects.md of CPython.
enum LocationKind : uint8_t { kOneLine0 = 10, kNoColumns = 13, kLong = 14, kNone = 15 };

constexpr uint8_t kEntryStart = 0x80;

uint8_t byte_at(std::string_view table, std::size_t at) {
  return static_cast<uint8_t>(table[at]);
}

// Six value bits a byte, least significant first. False = cut or too long for 32 bits.
bool read_varint(std::string_view table, std::size_t& at, uint32_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 32 && at < table.size(); shift += 6) {
    const uint8_t byte = byte_at(table, at++);
    if (byte & kEntryStart) return false;
    value |= static_cast<uint32_t>(byte & 63) << shift;
    if (!(byte & 64)) return true;
  }
  return false;
}

bool read_line_delta(std::string_view table, std::size_t& at, uint8_t kind, int64_t& delta) {
  delta = 0;
  if (kind >= kOneLine0 && kind < kNoColumns) delta = kind - kOneLine0;
  if (kind != kNoColumns && kind != kLong) return true;
  uint32_t value = 0;
  if (!read_varint(table, at, value)) return false;
  delta = value & 1 ? -static_cast<int64_t>(value >> 1) : static_cast<int64_t>(value >> 1);
  return true;
}

}  // namespace

LineTable::LineTable(std::string_view table, uint32_t first_line, uint16_t version)
    : first_line_(first_line) {
  if (version >= 0x30b) {
    decode_locations(table);
  } else if (version == 0x30a) {
    decode_line_deltas(table);
  } else {
    decode_lnotab(table, version >= 0x306);
  }
  rows_.shrink_to_fit();
}

uint32_t LineTable::line(int32_t lasti_bytes) const {
  if (lasti_bytes < 0) return first_line_;
  const auto offset = static_cast<uint32_t>(lasti_bytes);
  if (offset >= end_) return 0;
  const auto after =
      std::upper_bound(rows_.begin(), rows_.end(), offset,
                       [](uint32_t value, const Row& row) { return value < row.start; });
  return after == rows_.begin() ? first_line_ : std::prev(after)->line;
}

// `line` holds for the next `bytes` of bytecode. False = not a possible table.
bool LineTable::add(uint32_t bytes, int64_t line) {
  if (line < 0 || line > kMaxLine || bytes > kMaxCodeBytes - end_) return false;
  const auto checked = static_cast<uint32_t>(line);
  if (bytes && (rows_.empty() || rows_.back().line != checked)) rows_.push_back({end_, checked});
  end_ += bytes;
  return true;
}

void LineTable::decode_locations(std::string_view table) {
  int64_t line = first_line_;
  for (std::size_t at = 0; at < table.size();) {
    const uint8_t head = byte_at(table, at++);
    int64_t delta = 0;
    if (!(head & kEntryStart)) return;
    if (!read_line_delta(table, at, head >> 3 & 15, delta)) return;
    line += delta;
    if (!add(((head & 7u) + 1) * 2, line)) return;
    while (at < table.size() && !(byte_at(table, at) & kEntryStart))
      ++at;  // columns
  }
}

void LineTable::decode_line_deltas(std::string_view table) {
  constexpr int8_t kNoLine = -128;
  int64_t line = first_line_;
  for (std::size_t at = 0; at + 1 < table.size(); at += 2) {
    const auto delta = static_cast<int8_t>(table[at + 1]);
    if (delta != kNoLine) line += delta;
    if (!add(byte_at(table, at), line)) return;
  }
}

void LineTable::decode_lnotab(std::string_view table, bool signed_lines) {
  int64_t line = first_line_;
  for (std::size_t at = 0; at + 1 < table.size(); at += 2) {
    if (!add(byte_at(table, at), line)) return;
    line += signed_lines ? static_cast<int8_t>(table[at + 1]) : byte_at(table, at + 1);
  }
  add(kMaxCodeBytes - end_, line);
}

uint32_t line_of(std::string_view table, uint32_t first_line, int32_t lasti_bytes,
                 uint16_t version) {
  return LineTable(table, first_line, version).line(lasti_bytes);
}

}  // namespace pyprof::python
