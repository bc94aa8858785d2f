// SPDX-License-Identifier: Apache-2.0
// The bytes of an .eh_frame section, put into an ELF file that is in order.
#include <elf.h>

#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "tests/fuzz/target.h"
#include "userspace/elf/unwind_table.h"

namespace {

constexpr uint64_t kTextAddress = 0x1000, kTextBytes = 0x1000, kFrameAddress = 0x2000;
constexpr std::string_view kNames("\0.text\0.eh_frame\0.names\0", 24);

template <typename T>
void append(std::vector<uint8_t>& file, const T& value) {
  const auto* from = reinterpret_cast<const uint8_t*>(&value);
  file.insert(file.end(), from, from + sizeof(value));
}

Elf64_Shdr section(uint32_t name, uint32_t type, uint64_t address, uint64_t offset,
                   uint64_t bytes) {
  Elf64_Shdr header{};
  header.sh_name = name;
  header.sh_type = type;
  header.sh_flags = address == kTextAddress ? SHF_ALLOC | SHF_EXECINSTR : SHF_ALLOC;
  header.sh_addr = address;
  header.sh_offset = offset;
  header.sh_size = bytes;
  return header;
}

std::vector<uint8_t> elf_with(std::span<const uint8_t> frames) {
  constexpr uint64_t kFrameOffset = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr) + kNames.size();
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_DYN;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof(header);
  header.e_ehsize = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  header.e_shoff = kFrameOffset + frames.size();
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 4;
  header.e_shstrndx = 3;
  std::vector<uint8_t> file;
  append(file, header);
  append(file, Elf64_Phdr{PT_LOAD, PF_R | PF_X, 0, kTextAddress, 0, 0, kTextBytes, 1});
  append(file, Elf64_Phdr{PT_LOAD, PF_R, kFrameOffset, kFrameAddress, 0, frames.size(),
                          frames.size(), 1});
  file.insert(file.end(), kNames.begin(), kNames.end());
  file.insert(file.end(), frames.begin(), frames.end());
  append(file, Elf64_Shdr{});
  append(file, section(1, SHT_NOBITS, kTextAddress, 0, kTextBytes));
  append(file, section(7, SHT_PROGBITS, kFrameAddress, kFrameOffset, frames.size()));
  append(file, section(17, SHT_STRTAB, 0, sizeof(header) + 2 * sizeof(Elf64_Phdr), kNames.size()));
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace pyprof;
  const auto file = elf::ElfFile::from_bytes(elf_with({data, bytes}));
  if (!file) __builtin_trap();
  const auto table = elf::read_unwind_table(*file, {.max_rows = 20'000, .max_fdes = 5'000});
  if (!table) return 0;
  elf::RuleDictionary dictionary;
  const auto packed = elf::pack(*table, dictionary);
  for (const auto& row : table->rows) {
    if (row.address < table->first_address) __builtin_trap();
    (void)elf::find_rule(packed, dictionary.rules(), row.address - table->first_address);
  }
  return 0;
}
