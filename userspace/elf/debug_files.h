// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "userspace/base/fd.h"
#include "userspace/elf/elf_file.h"

// What a stripped file says of where its symbols and debug information went.
namespace pyprof::elf {

struct DebugLink {
  std::string name;  // of a file, never with a '/'
  uint32_t crc = 0;  // of all its bytes
};

// .gnu_debuglink; nothing if there is none or it makes no sense.
std::optional<DebugLink> debug_link(const ElfFile& file);
// The CRC-32 that a debug link holds. Nothing if the file is over 512 MiB or can't be read.
std::optional<uint32_t> debug_crc(const Fd& file);

// The small ELF file with a symbol table that is packed in .gnu_debugdata (Fedora, RHEL). Nothing
// if there is none, it is damaged, or takes more than 64 MiB.
std::optional<ElfFile> mini_debug_info(const ElfFile& file);

// `debug`, which `debug_fd` is open on, is a separate debug file of `file`: by build-id, where one
// of the two has none by the debug link's CRC. May read all of it.
bool is_debug_file_of(const ElfFile& file, const ElfFile& debug, const Fd& debug_fd);

// It has DWARF in .debug_info, possibly compressed.
bool has_debug_info(const ElfFile& file);

}  // namespace pyprof::elf
