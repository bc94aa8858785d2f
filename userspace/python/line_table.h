// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

// CPython's line tables: co_lnotab (to 3.9), co_linetable (3.10) and the location table (3.11 on).
// The bytes come from the profiled process: decoding ends at the first byte that makes no sense.
namespace pyprof::python {

// A decoded table. Immutable, so any number of threads may read it.
class LineTable {
 public:
  // `table` raw bytes of the code object, `version` major << 8 | minor.
  LineTable(std::string_view table, uint32_t first_line, uint16_t version);

  // Line of the instruction at `lasti_bytes` from the start of the bytecode. A negative offset (not
  // begun yet) is the first line. Code that CPython gives no line takes the nearest line before it
  // in the table, else the first line. 0 = past the end of the table: cut, or not this code
  // object's.
  [[nodiscard]] uint32_t line(int32_t lasti_bytes) const;

  // Bytes of bytecode that the table describes. co_lnotab has no end: the maximum.
  [[nodiscard]] uint32_t code_bytes() const { return end_; }
  [[nodiscard]] std::size_t memory_bytes() const {
    return sizeof(*this) + rows_.capacity() * sizeof(Row);
  }

 private:
  struct Row {
    uint32_t start;  // bytecode offset; holds to the next row's start
    uint32_t line;
  };
  void decode_locations(std::string_view table);
  void decode_line_deltas(std::string_view table);
  void decode_lnotab(std::string_view table, bool signed_lines);
  bool add(uint32_t bytes, int64_t line);

  std::vector<Row> rows_;
  uint32_t first_line_;
  uint32_t end_ = 0;
};

// The same for a single look-up.
[[nodiscard]] uint32_t line_of(std::string_view table, uint32_t first_line, int32_t lasti_bytes,
                               uint16_t version);

}  // namespace pyprof::python
