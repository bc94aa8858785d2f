// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/unwind_table.h"

#include <elf.h>

#include <algorithm>

#include "userspace/elf/cfi_rule.h"
#include "userspace/elf/code_scan.h"
#include "userspace/elf/eh_frame.h"

namespace pyprof::elf {
namespace {

constexpr uint32_t kNone = make_rule(WIRE_RULE_NONE);
// V8's own functions and Go's, linked with C: so much code without information has frame pointers.
constexpr uint32_t kFramePointer = make_rule(WIRE_RULE_RBP, 2, 2);
constexpr uint64_t kPageBytes = uint64_t{1} << WIRE_PAGE_BITS;
// Gaps below this are padding between functions: no row for them.
constexpr uint64_t kMinGapBytes = 16;
// With the 8 million rows of the next limit this keeps a packed table within its 24-bit row
// numbers.
constexpr uint64_t kMaxTextBytes = uint64_t{1} << 30;
constexpr std::size_t kMaxRows = 8'000'000;

// [first, end) of the executable segments' file bytes.
void set_text_range(const ElfFile& file, UnwindTable& table) {
  uint64_t first = ~uint64_t{0};
  uint64_t end = 0;
  for (const Segment& segment : file.segments()) {
    if (!segment.executable) continue;
    const uint64_t bytes = file.at_address(segment.address, segment.file_bytes).size();
    if (bytes == 0) continue;
    first = std::min(first, segment.address);
    end = std::max(end, segment.address + bytes);
  }
  if (end == 0) return;
  table.first_address = first & ~(kPageBytes - 1);
  table.end_address = end;
  if (end - table.first_address > kMaxTextBytes) {
    table.end_address = table.first_address + kMaxTextBytes;
    table.cut = true;
  }
}

// Rows that pack() will drop; the kernel's count of a page's rows has 8 bits.
uint64_t count_crowded(const UnwindTable& table) {
  constexpr uint64_t kMaxRowsPerPage = 254;
  uint64_t crowded = 0;
  uint64_t page = ~uint64_t{0};
  uint64_t in_page = 0;
  for (const UnwindRow& row : table.rows) {
    if (row.address / kPageBytes != page) in_page = 0;
    page = row.address / kPageBytes;
    if (++in_page > kMaxRowsPerPage) crowded++;
  }
  return crowded;
}

class Builder {
 public:
  Builder(UnwindTable& table, const ElfFile& file, const EhFrame& frame, std::size_t max_rows)
      : table_(table),
        frame_(frame),
        scan_(file),
        max_rows_(max_rows),
        covered_(table.first_address) {}

  void run() {
    put(table_.first_address, kNone);
    for (std::size_t i = 0; i < frame_.fdes.size() && !full_; i++) {
      const Fde& fde = frame_.fdes[i];
      // Where functions overlap, the one that starts later is the more specific.
      const uint64_t next =
          i + 1 < frame_.fdes.size() ? frame_.fdes[i + 1].start : table_.end_address;
      add(fde, std::min({fde.end, next, table_.end_address}));
    }
    finish();
  }

 private:
  void add(const Fde& fde, uint64_t end) {
    if (fde.start < table_.first_address || fde.start >= end) return;
    if (fde.start - covered_ >= kMinGapBytes) fill_gap(covered_, fde.start);
    const Cie& cie = frame_.cies[fde.cie];
    if (!cie.usable) {
      table_.unsupported["cie"]++;
      put(fde.start, kNone);
    } else {
      run_program(fde, cie, end);
    }
    covered_ = end;
  }

  void run_program(const Fde& fde, const Cie& cie, uint64_t end) {
    const auto code = frame_.bytes.subspan(fde.instructions, fde.instruction_bytes);
    CfiProgram program(cie, code, frame_.address + fde.instructions, fde.start);
    auto step = CfiProgram::Step::kRow;
    while (step == CfiProgram::Step::kRow && !full_) {
      step = program.step();
      if (program.location() >= end) return;
      if (step == CfiProgram::Step::kBad) {
        table_.unsupported["instruction"]++;
        put(program.location(), kNone);
      } else {
        put(program.location(), rule_of(program.state(), cie.signal_frame, table_.unsupported));
      }
    }
  }

  // Addresses never go down; the last rule put at an address stays.
  void put(uint64_t address, uint32_t rule) {
    auto& rows = table_.rows;
    if (!rows.empty() && rows.back().address == address) rows.pop_back();
    if (!rows.empty() && rows.back().rule == rule) return;
    rows.push_back({address, rule});
    full_ = rows.size() >= max_rows_;
  }

  // Code without call frame information.
  void fill_gap(uint64_t first, uint64_t end) {
    put(first, end - first > CodeScan::kMaxBytes ? kFramePointer : kNone);
    for (const UnwindRow& row : scan_.rows(first, end)) {
      if (full_) return;
      put(row.address, row.rule);
    }
    covered_ = end;
  }

  void finish() {
    auto& rows = table_.rows;
    if (!full_ && table_.end_address - covered_ >= kMinGapBytes)
      fill_gap(covered_, table_.end_address);
    if (full_) {
      table_.cut = true;
      rows.back().rule = kNone;
    } else if (rows.back().rule != kNone) {
      rows.push_back({covered_, kNone});
    }
    if (rows.size() >= 2 && rows[rows.size() - 2].rule == kNone) rows.pop_back();
  }

  UnwindTable& table_;
  const EhFrame& frame_;
  CodeScan scan_;
  std::size_t max_rows_;
  uint64_t covered_;  // end of the last function
  bool full_ = false;
};

}  // namespace

Result<UnwindTable> read_unwind_table(const ElfFile& file, const UnwindLimits& limits) {
#if !defined(__x86_64__)
  (void)file;
  (void)limits;
  return Error{"unwind tables are only read on x86-64", ExitCode::kNotSupported};
#else
  UnwindTable table;
  set_text_range(file, table);
  const auto frame = read_eh_frame(file, limits.max_fdes, table.unsupported);
  if (!frame || table.end_address == 0) return table;
  table.cut |= frame->cut;
  Builder(table, file, *frame, std::clamp<std::size_t>(limits.max_rows, 2, kMaxRows)).run();
  if (const uint64_t crowded = count_crowded(table); crowded != 0) {
    table.unsupported["crowded_page"] = crowded;
  }
  return table;
#endif
}

}  // namespace pyprof::elf
