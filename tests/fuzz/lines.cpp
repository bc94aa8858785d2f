// SPDX-License-Identifier: Apache-2.0
// A whole ELF file with DWARF, as the process reads it that may die of it.
#include "tests/fuzz/target.h"
#include "userspace/elf/dwarf_lines.h"
#include "userspace/elf/symbols.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace pyprof;
  auto dwarf = elf::DwarfFile::open(fuzz::file_of({data, bytes}));
  if (!dwarf) return 0;
  for (uint64_t address = 0x1000; address < 0x1400; address += 8) {
    for (const auto& frame : dwarf->find(address))
      (void)elf::demangle(frame.function);
  }
  return 0;
}
