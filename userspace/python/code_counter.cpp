// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/code_counter.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <span>

namespace pyprof::python {
namespace {

constexpr uint32_t kMaxBuiltIn = 65536;
constexpr std::size_t kMaxFunctionBytes = 16 * 1024;

bool is_shift_by_4(std::span<const uint8_t> code, std::size_t at) {  // shl $4, %r64
  return (code[at] & 0xfe) == 0x48 && code[at + 1] == 0xc1 && (code[at + 2] & 0xf8) == 0xe0 &&
         code[at + 3] == 4;
}

bool is_indexed_lea(std::span<const uint8_t> code,
                    std::size_t at) {  // lea disp32(base,index), %r64
  constexpr uint8_t kScaleMask = 0xc0;
  return (code[at] & 0xf8) == 0x48 && code[at + 1] == 0x8d && (code[at + 2] & 0xc7) == 0x84 &&
         !(code[at + 3] & kScaleMask);
}

// mov %r32, 92(%r64): a store to co_version of 3.12.
bool is_version_store(std::span<const uint8_t> code, std::size_t at) {
  constexpr uint8_t kVersion = 92;
  return code[at] == 0x89 && (code[at + 1] & 0xc0) == 0x40 && (code[at + 1] & 7) != 4 &&
         code[at + 2] == kVersion;
}

bool is_relative_load(std::span<const uint8_t> code,
                      std::size_t at) {  // mov or lea disp32(%rip), %r
  return (code[at] == 0x8b || code[at] == 0x8d) && (code[at + 1] & 0xc7) == 5;
}

uint32_t u32_at(std::span<const uint8_t> bytes, std::size_t at) {
  uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

// The variable begins, in initialised data, as the number of code objects that are built in, plus
// one.
bool is_counter(const elf::ElfFile& file, uint64_t address) {
  const auto& sections = file.sections();
  const bool writable =
      std::any_of(sections.begin(), sections.end(), [address](const elf::Section& section) {
        return section.type == SHT_PROGBITS && (section.flags & SHF_WRITE) &&
               address >= section.address && address - section.address < section.bytes;
      });
  const auto value = file.at_address(address, sizeof(uint32_t));
  if (!writable || address % 4 != 0 || value.size() != sizeof(uint32_t)) return false;
  return u32_at(value, 0) >= 1 && u32_at(value, 0) <= kMaxBuiltIn;
}

// The variables that may be the counter and are loaded shortly before a store to co_version.
void collect_counters(const elf::ElfFile& file, const elf::Symbol& function,
                      std::span<const uint8_t> code, std::size_t store, std::set<uint64_t>& found) {
  constexpr std::size_t kNearBytes = 64;
  constexpr std::size_t kLoadBytes = 6;
  for (std::size_t at = store - std::min(store, kNearBytes); at + kLoadBytes <= store; ++at) {
    if (!is_relative_load(code, at)) continue;
    const auto distance = static_cast<int32_t>(u32_at(code, at + 2));
    const uint64_t target =
        function.address + at + kLoadBytes + static_cast<uint64_t>(int64_t{distance});
    if (is_counter(file, target)) found.insert(target);
  }
}

}  // namespace

// Release builds are stripped: there _PyCode_New, which is exported, is searched for the load of
// the counter that is stored to co_version.
std::optional<uint64_t> find_global_code_counter(const elf::ElfFile& file) {
  constexpr std::size_t kStoreBytes = 3;
  if (const auto symbol = file.find_symbol("_Py_next_func_version")) return symbol->address;
  const auto function = file.find_symbol("_PyCode_New");
  if (!function) return std::nullopt;
  const auto code =
      file.at_address(function->address, std::min<uint64_t>(function->bytes, kMaxFunctionBytes));
  std::set<uint64_t> found;
  for (std::size_t at = 0; at + kStoreBytes <= code.size(); ++at)
    if (is_version_store(code, at)) collect_counters(file, *function, code, at, found);
  if (found.size() != 1) return std::nullopt;
  return *found.begin();
}

// _PyFunction_SetVersion is exported and indexes func_state.func_version_cache, 16 bytes an entry,
// which follows next_version (4 bytes and padding).
std::optional<uint32_t> find_interpreter_code_counter(const elf::ElfFile& file) {
  constexpr std::size_t kLeaBytes = 8;
  constexpr uint32_t kCounterBytes = 8;
  constexpr uint32_t kMaxOffset = 1 << 20;
  const auto symbol = file.find_symbol("_PyFunction_SetVersion");
  if (!symbol) return std::nullopt;
  const auto code =
      file.at_address(symbol->address, std::min<uint64_t>(symbol->bytes, kMaxFunctionBytes));
  std::optional<uint32_t> cache;
  bool shifted = false;
  for (std::size_t at = 0; at + kLeaBytes <= code.size(); ++at) {
    shifted = shifted || is_shift_by_4(code, at);
    if (!shifted || !is_indexed_lea(code, at)) continue;
    const uint32_t offset = u32_at(code, at + 4);
    if (cache && *cache != offset) return std::nullopt;
    cache = offset;
  }
  if (!cache || *cache % 8 != 0 || *cache < kCounterBytes || *cache > kMaxOffset)
    return std::nullopt;
  return *cache - kCounterBytes;
}

}  // namespace pyprof::python
