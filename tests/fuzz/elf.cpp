// SPDX-License-Identifier: Apache-2.0
// A whole ELF file: what pyebpf-reader does with it for unwinding and for CPython, and what the
// daemon reads of its headers.
#include "tests/fuzz/target.h"
#include "userspace/elf/image_header.h"
#include "userspace/python/describe.h"
#include "userspace/reader/file_tables.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace pyprof;
  Fd file = fuzz::file_of({data, bytes});
  (void)elf::read_image_header(file.get());
  const auto tables = reader::parse_tables(std::move(file), "/usr/lib/libpython3.12.so", 20'000);
  const auto again = reader::decode(reader::encode(tables));
  if (!again) __builtin_trap();  // what we wrote we take
  return 0;
}
