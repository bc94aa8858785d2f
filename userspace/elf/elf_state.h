// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <elf.h>

#include "userspace/base/fd.h"
#include "userspace/elf/elf_file.h"

// What an ElfFile keeps; only for the elf_*.cpp files and image_header.cpp.
namespace pyprof::elf {

// The ELF header, if it is one of a file for this machine.
Result<Elf64_Ehdr> read_header(std::span<const uint8_t> bytes);
// Empty for what is no PT_LOAD, or one that wraps around.
std::optional<Segment> to_segment(const Elf64_Phdr& raw);

// A symbol table and its names, both as bytes of the file.
struct SymbolSource {
  std::span<const uint8_t> symbols;
  std::span<const uint8_t> names;
};

struct ElfFile::State {
  std::vector<uint8_t> buffer;  // owns `bytes`, or
  Mmap mapping;                 // this does
  std::span<const uint8_t> bytes;
  uint16_t type = 0;  // ET_*
  uint64_t entry = 0;
  std::vector<Elf64_Phdr> headers;
  std::vector<Segment> segments;
  std::vector<Section> sections;
  SymbolSource dynamic_symbols;
  SymbolSource static_symbols;
  std::string soname;

  // Fills everything below `bytes`. Only a bad ELF header is an error: a file with damaged tables
  // still has segments.
  Result<void> parse();
  [[nodiscard]] std::span<const uint8_t> at_address(uint64_t address, uint64_t count) const;

 private:
  void parse_segments(const Elf64_Ehdr& header);
  void parse_sections(const Elf64_Ehdr& header);
  void parse_dynamic();
};

}  // namespace pyprof::elf
