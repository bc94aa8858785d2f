// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "userspace/elf/byte_reader.h"
#include "userspace/elf/elf_state.h"

namespace pyprof::elf {
namespace {

constexpr uint64_t kMaxSections = 65'536;
constexpr std::size_t kMaxSectionName = 256;
constexpr std::size_t kMaxSoname = 1'024;
constexpr std::size_t kMaxDynamic = 4'096;
constexpr uint32_t kMaxDynamicSymbols = 8'000'000;

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
#error "only x86-64 and arm64 are supported"
#endif

std::string text_at(std::span<const uint8_t> bytes, uint64_t offset, std::size_t limit) {
  const auto tail = clip(bytes, offset, limit);
  const auto end = std::find(tail.begin(), tail.end(), uint8_t{0});
  return {tail.begin(), end};
}

// The number of symbols is nowhere said outright in the dynamic section: the hash tables imply it.
uint32_t count_by_gnu_hash(std::span<const uint8_t> table) {
  ByteReader reader(table);
  const auto buckets = reader.read<uint32_t>();
  const auto first_hashed = reader.read<uint32_t>();
  const auto bloom_words = reader.read<uint32_t>();
  reader.read<uint32_t>();
  reader.take(uint64_t{bloom_words} * 8);
  uint32_t last = 0;
  for (uint32_t i = 0; i < buckets && !reader.failed(); i++) {
    last = std::max(last, reader.read<uint32_t>());
  }
  if (reader.failed() || last < first_hashed) return first_hashed;
  reader.take(uint64_t{last - first_hashed} * 4);
  while (!reader.failed() && last < kMaxDynamicSymbols && (reader.read<uint32_t>() & 1) == 0) {
    last++;
  }
  return reader.failed() ? 0 : last + 1;
}

}  // namespace

Result<Elf64_Ehdr> read_header(std::span<const uint8_t> bytes) {
  const auto header = load<Elf64_Ehdr>(bytes, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
    return Error{"not an ELF file"};
  }
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) {
    return Error{"ELF file is not 64-bit little-endian", ExitCode::kNotSupported};
  }
  if (header->e_machine != kMachine) {
    return Error{"ELF file is for another machine", ExitCode::kNotSupported};
  }
  if (header->e_type != ET_EXEC && header->e_type != ET_DYN) {
    return Error{"ELF file is neither an executable nor a shared library", ExitCode::kNotSupported};
  }
  return *header;
}

std::optional<Segment> to_segment(const Elf64_Phdr& raw) {
  if (raw.p_type != PT_LOAD || raw.p_vaddr + raw.p_memsz < raw.p_vaddr) return std::nullopt;
  return Segment{.address = raw.p_vaddr,
                 .offset = raw.p_offset,
                 .file_bytes = std::min(raw.p_filesz, raw.p_memsz),
                 .memory_bytes = raw.p_memsz,
                 .executable = (raw.p_flags & PF_X) != 0};
}

Result<void> ElfFile::State::parse() {
  const auto header = read_header(bytes);
  if (!header) return header.error();
  type = header->e_type;
  entry = header->e_entry;
  parse_segments(*header);
  parse_sections(*header);
  parse_dynamic();
  return {};
}

void ElfFile::State::parse_segments(const Elf64_Ehdr& header) {
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return;
  const auto table = clip(bytes, header.e_phoff, uint64_t{header.e_phnum} * sizeof(Elf64_Phdr));
  for (std::size_t at = 0; at + sizeof(Elf64_Phdr) <= table.size(); at += sizeof(Elf64_Phdr)) {
    const auto raw = *load<Elf64_Phdr>(table, at);
    headers.push_back(raw);
    if (const auto segment = to_segment(raw)) segments.push_back(*segment);
  }
}

void ElfFile::State::parse_sections(const Elf64_Ehdr& header) {
  if (header.e_shoff == 0 || header.e_shentsize != sizeof(Elf64_Shdr)) return;
  const auto first = load<Elf64_Shdr>(bytes, header.e_shoff);
  if (!first) return;
  const uint64_t count = header.e_shnum != 0 ? header.e_shnum : first->sh_size;
  const uint32_t names_index = header.e_shstrndx == SHN_XINDEX ? first->sh_link : header.e_shstrndx;
  std::vector<Elf64_Shdr> raw;
  for (uint64_t i = 0; i < std::min(count, kMaxSections); i++) {
    const auto section = load<Elf64_Shdr>(bytes, header.e_shoff + i * sizeof(Elf64_Shdr));
    if (!section) break;
    raw.push_back(*section);
  }
  const auto content = [&](uint64_t index) -> std::span<const uint8_t> {
    if (index >= raw.size() || raw[index].sh_type == SHT_NOBITS) return {};
    return clip(bytes, raw[index].sh_offset, raw[index].sh_size);
  };
  const auto names = content(names_index);
  for (std::size_t i = 0; i < raw.size(); i++) {
    sections.push_back(Section{.name = text_at(names, raw[i].sh_name, kMaxSectionName),
                               .type = raw[i].sh_type,
                               .flags = raw[i].sh_flags,
                               .address = raw[i].sh_addr,
                               .offset = raw[i].sh_offset,
                               .bytes = raw[i].sh_size});
    if (raw[i].sh_type == SHT_DYNSYM) dynamic_symbols = {content(i), content(raw[i].sh_link)};
    if (raw[i].sh_type == SHT_SYMTAB) static_symbols = {content(i), content(raw[i].sh_link)};
  }
}

void ElfFile::State::parse_dynamic() {
  const auto header = std::find_if(headers.begin(), headers.end(),
                                   [](const auto& h) { return h.p_type == PT_DYNAMIC; });
  if (header == headers.end()) return;
  std::map<int64_t, uint64_t> values;
  const auto table = clip(bytes, header->p_offset, header->p_filesz);
  for (std::size_t i = 0; i < kMaxDynamic; i++) {
    const auto item = load<Elf64_Dyn>(table, i * sizeof(Elf64_Dyn));
    if (!item || item->d_tag == DT_NULL) break;
    values.emplace(item->d_tag, item->d_un.d_val);
  }
  const auto value = [&](int64_t tag) { return values.contains(tag) ? values[tag] : 0; };
  const auto names = at_address(value(DT_STRTAB), value(DT_STRSZ));
  if (values.contains(DT_SONAME)) soname = text_at(names, value(DT_SONAME), kMaxSoname);
  if (!dynamic_symbols.symbols.empty() || !values.contains(DT_SYMTAB)) return;
  uint32_t count = 0;
  if (values.contains(DT_HASH)) {
    count = load<uint32_t>(at_address(value(DT_HASH), 8), 4).value_or(0);
  } else if (values.contains(DT_GNU_HASH)) {
    count = count_by_gnu_hash(at_address(value(DT_GNU_HASH), bytes.size()));
  }
  dynamic_symbols = {at_address(value(DT_SYMTAB), uint64_t{count} * sizeof(Elf64_Sym)), names};
}

}  // namespace pyprof::elf
