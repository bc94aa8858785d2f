// SPDX-License-Identifier: Apache-2.0
// A saved profile of any format, shown as folded stacks.
#include "tests/fuzz/target.h"
#include "userspace/export/folded.h"
#include "userspace/import/load.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace pyprof;
  const Fd file = fuzz::file_of(std::span<const uint8_t>(data, bytes));
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  const auto profile = importer::load_profile(path, {.max_bytes = 1U << 20});
  if (!profile) return 0;
  for (const auto& stack : profile->stacks)
    for (const uint32_t frame : stack.frames)
      if (frame >= profile->frames.size()) __builtin_trap();
  (void)exporter::to_folded(*profile, {});
  return 0;
}
