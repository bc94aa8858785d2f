// SPDX-License-Identifier: Apache-2.0
// A perf map that grows: half of it is there at the first look.
#include "userspace/symbolize/perf_map.h"

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace pyprof;
  const std::span<const uint8_t> all(data, bytes);
  Fd file = fuzz::file_of(all.first(bytes / 2));
  const Fd writer(::dup(file.get()));
  symbolize::PerfMap map(std::move(file));
  const symbolize::PerfMapLimits limits{.functions = 1'000};
  (void)map.read(limits);
  const auto rest = all.subspan(bytes / 2);
  if (::write(writer.get(), rest.data(), rest.size()) < 0) return 0;
  (void)map.read(limits);
  for (uint64_t pc = 0; pc < 0x1'0000; pc += 0x101) {
    const auto hit = map.find(pc);
    if (hit && hit->start > pc) __builtin_trap();
  }
  if (map.size() > limits.functions) __builtin_trap();
  return 0;
}
