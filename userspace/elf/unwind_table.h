// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "bpf/wire.h"
#include "userspace/elf/elf_file.h"

// From .eh_frame to the rows that the kernel side searches. The row format is described in
// bpf/wire.h at `row_index`.
namespace pyprof::elf {

// `rule` holds from `address` to the next row's address. The last row is a WIRE_RULE_NONE row.
struct UnwindRow {
  uint64_t address = 0;
  uint32_t rule = 0;  // in full, as in wire.h's dictionary
  bool operator==(const UnwindRow&) const = default;
};

struct UnwindLimits {
  std::size_t max_rows = 8'000'000;
  std::size_t max_fdes = 4'000'000;
};

struct UnwindTable {
  uint64_t first_address = 0;  // of the executable segments, rounded down to 512
  uint64_t end_address = 0;
  std::vector<UnwindRow> rows;  // sorted by address, no two neighbours with one rule
  std::map<std::string, uint64_t> unsupported;  // what could not be expressed -> how often
  bool cut = false;                             // a limit was hit
};

// Parses .eh_frame (by section, else by PT_GNU_EH_FRAME). Files without one give an empty table.
Result<UnwindTable> read_unwind_table(const ElfFile& file, const UnwindLimits& limits = {});

// Rules that do not fit in a row's 16 bits, shared by all files. Append-only; index <
// WIRE_DICT_RULES. Rule 0 is WIRE_RULE_OTHER.
class RuleDictionary {
 public:
  RuleDictionary();

  // Index of the rule, added if new; the index of a WIRE_RULE_OTHER rule when full.
  uint32_t index_of(uint32_t rule);
  [[nodiscard]] const std::vector<uint32_t>& rules() const { return rules_; }

 private:
  std::vector<uint32_t> rules_;
  std::map<uint32_t, uint32_t> index_;
};

// A table packed for the kernel's arrays, relative to row 0 and index 0: whoever places it adds its
// first row number to `first << 8` of each index entry. Rows are padded so that the rows of one
// page never cross a 4 KiB chunk if the placement starts on a chunk. A page with more than 255 rows
// ends in a WIRE_RULE_NONE row; `index` is shorter than the text if row numbers ran out of their 24
// bits.
struct PackedTable {
  std::vector<uint32_t> rows;
  std::vector<uint32_t> index;  // one entry per 512 bytes from first_address
};

PackedTable pack(const UnwindTable& table, RuleDictionary& dictionary);

// What the kernel's search finds for an address; for tests and userspace unwinding.
uint32_t find_rule(const PackedTable& packed, const std::vector<uint32_t>& dictionary,
                   uint64_t offset_from_first);

}  // namespace pyprof::elf
