// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"

// An ELF file of the profiled host: copied up to 64 MiB, above that mapped read-only (a file that
// shrinks then can still raise SIGBUS). Immutable, so any thread may read it. The file may be
// hostile or change while it is read: every offset is checked against the bytes, nothing is
// believed.
namespace pyprof::elf {

struct Segment {  // a PT_LOAD
  uint64_t address = 0;
  uint64_t offset = 0;
  uint64_t file_bytes = 0;
  uint64_t memory_bytes = 0;
  bool executable = false;
};

struct Section {
  std::string name;
  uint32_t type = 0;
  uint64_t flags = 0;
  uint64_t address = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

struct Symbol {
  uint64_t address = 0;
  uint64_t bytes = 0;
  uint8_t type = 0;       // STT_*
  uint8_t binding = 0;    // STB_*
  std::string_view name;  // points into the mapped file; valid while the ElfFile lives
};

class ElfFile {
 public:
  // Takes over the descriptor. Fails for anything but 64-bit little-endian ELF EXEC/DYN of this
  // machine.
  static Result<ElfFile> open(Fd fd);
  static Result<ElfFile> open_path(const std::string& path);
  // A copy of bytes that are not in a file, such as the vdso.
  static Result<ElfFile> from_bytes(std::vector<uint8_t> bytes);

  ElfFile(ElfFile&&) noexcept;
  ElfFile& operator=(ElfFile&&) noexcept;
  ~ElfFile();

  [[nodiscard]] bool position_independent() const;  // ET_DYN
  [[nodiscard]] uint64_t entry() const;             // address of the first instruction, 0 = none
  [[nodiscard]] const std::vector<Segment>& segments() const;
  [[nodiscard]] const std::vector<Section>& sections() const;  // empty if the headers were stripped
  [[nodiscard]] const Section* section(std::string_view name) const;
  // Empty for NOBITS and for debug information of 1 MiB or more, which is never read.
  [[nodiscard]] std::span<const uint8_t> section_bytes(const Section& section) const;
  // PT_GNU_EH_FRAME's range, for files without section headers.
  [[nodiscard]] std::optional<Segment> eh_frame_header() const;
  // Of the file's thread-local variables, PT_TLS's size rounded up to its alignment; 0 = it has
  // none.
  [[nodiscard]] uint64_t thread_block_bytes() const;
  [[nodiscard]] std::string build_id() const;  // lower-case hex, "" if none
  [[nodiscard]] std::string soname() const;    // DT_SONAME, "" if none

  // File bytes at a virtual address; shorter than asked for where the segment's file part ends.
  [[nodiscard]] std::span<const uint8_t> at_address(uint64_t address, uint64_t bytes) const;
  [[nodiscard]] std::optional<uint64_t> address_of_offset(uint64_t file_offset) const;
  // The address at which an executable mapping of this file offset begins. Unlike
  // address_of_offset it is right where the executable segment starts inside a page: the kernel
  // maps the whole page, whose first bytes belong to the segment before.
  [[nodiscard]] std::optional<uint64_t> address_of_mapping(uint64_t file_offset) const;
  [[nodiscard]] std::optional<uint64_t> offset_of_address(uint64_t address) const;

  // Defined symbols of .dynsym or .symtab by exact name; .dynsym first.
  [[nodiscard]] std::optional<Symbol> find_symbol(std::string_view name) const;
  // All defined FUNC, IFUNC and OBJECT symbols of both tables, unsorted, at most `limit`.
  [[nodiscard]] std::vector<Symbol> symbols(std::size_t limit) const;
  // The same of .symtab alone: all that is true in a separate debug file, whose segments aren't
  // there.
  [[nodiscard]] std::vector<Symbol> static_symbols(std::size_t limit) const;

 private:
  struct State;
  explicit ElfFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pyprof::elf
