// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/image_header.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "userspace/elf/byte_reader.h"
#include "userspace/elf/elf_state.h"

namespace pyprof::elf {
namespace {

constexpr std::size_t kMaxBuildIdBytes = 64;
constexpr uint64_t kMaxHeaders = 8'192;
constexpr uint64_t kMaxNoteBytes = 64 << 10;
constexpr int kMaxNotes = 16;

uint64_t align_up(uint64_t value, uint64_t to) {
  return (value + to - 1) & ~(to - 1);
}

std::string hex(std::span<const uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// Shorter where the file ends.
Result<std::vector<uint8_t>> read_at(int fd, uint64_t offset, uint64_t count) {
  std::vector<uint8_t> bytes(count);
  std::size_t have = 0;
  while (have < count && offset + have <= std::numeric_limits<off_t>::max()) {
    const ssize_t got =
        ::pread(fd, bytes.data() + have, count - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read ELF file", errno);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

}  // namespace

std::string find_build_id(std::span<const uint8_t> notes, uint64_t align) {
  uint64_t at = 0;
  while (const auto note = load<Elf64_Nhdr>(notes, at)) {
    const uint64_t name_at = at + sizeof(*note);
    const uint64_t value_at = at + align_up(sizeof(*note) + note->n_namesz, align);
    const auto name = clip(notes, name_at, note->n_namesz);
    const auto value = clip(notes, value_at, note->n_descsz);
    if (note->n_type == NT_GNU_BUILD_ID && name.size() == 4 &&
        std::memcmp(name.data(), "GNU", 4) == 0 && value.size() == note->n_descsz) {
      return hex(value.first(std::min(value.size(), kMaxBuildIdBytes)));
    }
    at = align_up(value_at + note->n_descsz, align);
  }
  return "";
}

Result<ImageHeader> read_image_header(int fd) {
  const auto start = read_at(fd, 0, sizeof(Elf64_Ehdr));
  if (!start) return start.error();
  const auto header = read_header(*start);
  if (!header) return header.error();
  ImageHeader image;
  if (header->e_phentsize != sizeof(Elf64_Phdr)) return image;
  const uint64_t count = std::min<uint64_t>(header->e_phnum, kMaxHeaders);
  const auto table = read_at(fd, header->e_phoff, count * sizeof(Elf64_Phdr));
  if (!table) return table.error();
  int notes_read = 0;
  for (uint64_t at = 0; at + sizeof(Elf64_Phdr) <= table->size(); at += sizeof(Elf64_Phdr)) {
    const auto raw = *load<Elf64_Phdr>(*table, at);
    if (const auto segment = to_segment(raw)) image.segments.push_back(*segment);
    if (raw.p_type != PT_NOTE || !image.build_id.empty() || ++notes_read > kMaxNotes) continue;
    const auto notes = read_at(fd, raw.p_offset, std::min(raw.p_filesz, kMaxNoteBytes));
    if (notes) image.build_id = find_build_id(*notes, raw.p_align == 8 ? 8 : 4);
  }
  return image;
}

}  // namespace pyprof::elf
