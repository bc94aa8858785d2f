// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/thread_variable.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace pyprof::python {
namespace {

constexpr uint64_t kMaxGetterBytes = 64;
constexpr int64_t kMaxBlockBytes = 1 << 20;

using Code = std::span<const uint8_t>;

template <typename T>
std::optional<T> value_at(Code bytes, std::size_t at) {
  T value{};
  if (at > bytes.size() || bytes.size() - at < sizeof(value)) return std::nullopt;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

template <std::size_t N>
std::optional<std::size_t> behind(Code code, const std::array<uint8_t, N>& opcode) {
  const auto at = std::search(code.begin(), code.end(), opcode.begin(), opcode.end());
  if (at == code.end()) return std::nullopt;
  return static_cast<std::size_t>(at - code.begin()) + N;
}

// The distance of the first mov distance(%rax),%rax.
std::optional<int32_t> load_distance(Code code) {
  constexpr std::array<uint8_t, 2> kLoad{0x48, 0x8b};
  constexpr uint8_t kNone = 0x00, kByte = 0x40, kWord = 0x80;
  const auto at = behind(code, kLoad);
  const auto mode = at ? value_at<uint8_t>(code, *at) : std::nullopt;
  if (mode == kNone) return 0;
  if (mode == kWord) return value_at<int32_t>(code, *at + 1);
  if (mode != kByte) return std::nullopt;
  const auto distance = value_at<int8_t>(code, *at + 1);
  return distance ? std::optional<int32_t>(*distance) : std::nullopt;
}

// mov %fs:distance,%rax; or mov %fs:0,%rax and a load from there.
std::optional<ThreadVariable> decode_executable(Code code) {
  constexpr std::array<uint8_t, 5> kLoad{0x64, 0x48, 0x8b, 0x04, 0x25};
  const auto at = behind(code, kLoad);
  auto distance = at ? value_at<int32_t>(code, *at) : std::nullopt;
  if (distance && *distance == 0) distance = load_distance(code.subspan(*at + sizeof(int32_t)));
  if (!distance || *distance >= 0 || *distance < -kMaxBlockBytes) return std::nullopt;
  return ThreadVariable{0, *distance};
}

// The places which the loader fills with the number of the file that has them.
std::vector<uint64_t> module_slots(const elf::ElfFile& file) {
  constexpr std::size_t kMaxSlots = 4096;
  std::vector<uint64_t> slots;
  const elf::Section* section = file.section(".rela.dyn");
  if (section == nullptr) return slots;
  const auto bytes = file.section_bytes(*section);
  for (std::size_t at = 0; slots.size() < kMaxSlots; at += sizeof(Elf64_Rela)) {
    const auto entry = value_at<Elf64_Rela>(bytes, at);
    if (!entry) break;
    if (ELF64_R_TYPE(entry->r_info) == R_X86_64_DTPMOD64 && ELF64_R_SYM(entry->r_info) == 0)
      slots.push_back(entry->r_offset);
  }
  return slots;
}

// lea slot(%rip),%rdi; a call of __tls_get_addr, which returns the block's address plus what is
// behind the slot; a load from there.
std::optional<ThreadVariable> decode_library(const elf::ElfFile& file, uint64_t address,
                                             Code code) {
  constexpr std::array<uint8_t, 3> kAddress{0x48, 0x8d, 0x3d};
  const auto at = behind(code, kAddress);
  const auto relative = at ? value_at<int32_t>(code, *at) : std::nullopt;
  if (!relative) return std::nullopt;
  const std::size_t end = *at + sizeof(*relative);
  const uint64_t slot = address + end + static_cast<uint64_t>(int64_t{*relative});
  const auto slots = module_slots(file);
  const auto distance = load_distance(code.subspan(end));
  const auto base = value_at<int64_t>(file.at_address(slot + 8, sizeof(int64_t)), 0);
  if (std::find(slots.begin(), slots.end(), slot) == slots.end() || !distance || !base ||
      *base < 0 || *base > kMaxBlockBytes || *base + *distance < 0)
    return std::nullopt;
  return ThreadVariable{slot, *base + *distance};
}

std::optional<ThreadVariable> find_by_symbol(const elf::ElfFile& file, std::string_view name) {
  const auto symbol = file.find_symbol(name);
  if (!symbol || symbol->type != STT_TLS || symbol->address >= kMaxBlockBytes) return std::nullopt;
  const auto offset = static_cast<int64_t>(symbol->address);
  if (const auto slots = module_slots(file); !slots.empty())
    return ThreadVariable{slots.front(), offset};
  const bool executable = !file.position_independent() || file.section(".interp") != nullptr;
  const auto block = static_cast<int64_t>(file.thread_block_bytes());
  if (!executable || block <= offset) return std::nullopt;
  return ThreadVariable{0, offset - block};
}

}  // namespace

std::optional<ThreadVariable> find_thread_variable(const elf::ElfFile& file,
                                                   std::string_view variable,
                                                   std::string_view getter) {
  if (const auto found = find_by_symbol(file, variable)) return found;
  const auto function = file.find_symbol(getter);
  if (!function) return std::nullopt;
  const auto code = file.at_address(function->address, std::min(function->bytes, kMaxGetterBytes));
  if (const auto found = decode_executable(code)) return found;
  return decode_library(file, function->address, code);
}

}  // namespace pyprof::python
