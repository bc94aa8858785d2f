// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "userspace/elf/elf_file.h"
#include "userspace/elf/unwind_table.h"

// Unwind rows for code that has no call frame information, such as musl's libc and hand-written
// assembly, by following what its instructions do to rsp and rbp.
namespace pyprof::elf {

// Of one file. The bytes are decoded from the first to the last; functions begin at symbols, at the
// targets of calls and at the entry point. What can't be told becomes a WIRE_RULE_NONE row.
class CodeScan {
 public:
  // Of one file; a stretch of code that goes beyond is left out.
  static constexpr uint64_t kMaxBytes = 1 << 20;

  explicit CodeScan(const ElfFile& file);

  // Rows for [first, end), by address, the first one at `first`. Empty: no code there, or too much.
  [[nodiscard]] std::vector<UnwindRow> rows(uint64_t first, uint64_t end);

 private:
  const ElfFile& file_;
  std::vector<uint64_t> starts_;  // sorted
  uint64_t left_ = kMaxBytes;
};

}  // namespace pyprof::elf
