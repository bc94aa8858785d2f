// SPDX-License-Identifier: Apache-2.0
// A line table out of a process's memory, as each version's.
#include "userspace/python/line_table.h"

#include <string_view>

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  const std::string_view table(reinterpret_cast<const char*>(data), bytes);
  for (const uint16_t version : {0x0207, 0x0306, 0x030a, 0x030b, 0x030f}) {
    const pyprof::python::LineTable lines(table, 10, version);
    for (int32_t at = -2; at < 200; at += 2)
      (void)lines.line(at);
  }
  return 0;
}
