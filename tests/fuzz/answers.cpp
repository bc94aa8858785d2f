// SPDX-License-Identifier: Apache-2.0
// What a parser says that a file has taken over, or that is found in the cache on disk.
#include "tests/fuzz/target.h"
#include "userspace/reader/file_symbols.h"
#include "userspace/reader/file_tables.h"
#include "userspace/symbolize/line_child.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace pyprof;
  if (bytes == 0) return 0;
  const std::span<const uint8_t> rest(data + 1, bytes - 1);
  if (data[0] % 3 == 0) {
    if (const auto tables = reader::decode(rest)) (void)reader::encode(*tables);
  } else if (data[0] % 3 == 1) {
    const auto symbols = reader::decode_symbols(rest, 2);
    if (!symbols) return 0;
    for (const auto& entry : symbols->table.entries())
      (void)symbols->table.find(entry.address + 1);
  } else {
    (void)symbolize::decode_answer({reinterpret_cast<const char*>(rest.data()), rest.size()});
  }
  return 0;
}
