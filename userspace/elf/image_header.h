// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/elf/elf_file.h"

// What tells one image from another, from the first few pages of a file.
namespace pyprof::elf {

struct ImageHeader {
  std::string build_id;           // lower-case hex, "" if no PT_NOTE has one
  std::vector<Segment> segments;  // as ElfFile has them
};

// Reads the program headers and the notes, nothing else: at most 1.5 MiB with a few system calls,
// whatever the file claims, and without mapping it. Fails as ElfFile::open() does.
Result<ImageHeader> read_image_header(int fd);

// The descriptor of the GNU build-id note among the notes as lower-case hex, "" if none. `align` is
// that of the notes' segment.
std::string find_build_id(std::span<const uint8_t> notes, uint64_t align);

}  // namespace pyprof::elf
