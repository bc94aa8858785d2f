// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "userspace/elf/cfi_program.h"
#include "userspace/elf/cfi_rule.h"
#include "userspace/elf/elf_file.h"

// The records of one .eh_frame section.
namespace pyprof::elf {

// The unwind information of one function.
struct Fde {
  uint64_t start = 0;  // virtual address
  uint64_t end = 0;
  uint32_t instructions = 0;  // offset in the section
  uint32_t instruction_bytes = 0;
  uint32_t cie = 0;  // index
};

struct EhFrame {
  std::span<const uint8_t> bytes;  // of the file: valid while the ElfFile lives
  uint64_t address = 0;
  std::vector<Cie> cies;
  std::vector<Fde> fdes;  // sorted by start
  bool cut = false;       // a limit was hit
};

// One walk over the section, in time linear in its size: an FDE may only name a CIE that the walk
// has met as a record of its own. None if the file has no .eh_frame.
std::optional<EhFrame> read_eh_frame(const ElfFile& file, std::size_t max_fdes,
                                     Unsupported& unsupported);

}  // namespace pyprof::elf
