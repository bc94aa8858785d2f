// SPDX-License-Identifier: Apache-2.0
// A whole ELF file: its symbol tables, .gnu_debugdata and debug link, and the file as its own debug
// file.
#include "tests/fuzz/target.h"
#include "userspace/elf/debug_files.h"
#include "userspace/reader/file_symbols.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace pyprof;
  std::vector<Fd> candidates;
  candidates.push_back(fuzz::file_of({data, bytes}));
  const auto symbols = reader::parse_symbols(fuzz::file_of({data, bytes}), candidates);
  if (!reader::decode_symbols(reader::encode(symbols), 1)) __builtin_trap();
  for (const auto& entry : symbols.table.entries())
    (void)symbols.table.find(entry.address + 1);
  return 0;
}
