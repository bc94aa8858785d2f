// SPDX-License-Identifier: Apache-2.0
// The name of a symbol.
#include <string_view>

#include "tests/fuzz/target.h"
#include "userspace/elf/symbols.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  constexpr std::size_t kMostBytes = 16 * 1024 + 3;
  const std::string_view name(reinterpret_cast<const char*>(data), bytes);
  if (bytes <= 4'096 && pyprof::elf::demangle(name).size() > kMostBytes) __builtin_trap();
  return 0;
}
