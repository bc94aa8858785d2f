// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "userspace/elf/byte_reader.h"
#include "userspace/elf/elf_state.h"
#include "userspace/elf/image_header.h"

namespace pyprof::elf {
namespace {

// Files up to this size are copied: one that shrinks while it is read can't raise SIGBUS then.
constexpr uint64_t kMaxCopiedBytes = uint64_t{64} << 20;
constexpr uint64_t kMaxFileBytes = uint64_t{16} << 30;

constexpr uint64_t kMinDebugBytes = uint64_t{1} << 20;

struct FileRange {
  uint64_t offset;
  uint64_t end;
};

// Most of a big file with debug information is just that, and nothing here needs it.
bool is_debug_data(uint32_t type, uint64_t flags, uint64_t bytes) {
  return type == SHT_PROGBITS && (flags & SHF_ALLOC) == 0 && bytes >= kMinDebugBytes;
}

// Reads [offset, end) to the same place of the buffer; what the file no longer has stays zero.
Result<void> read_range(int fd, std::span<uint8_t> buffer, FileRange range) {
  range.end = std::min<uint64_t>(range.end, buffer.size());
  while (range.offset < range.end) {
    const ssize_t got = ::pread(fd, buffer.data() + range.offset, range.end - range.offset,
                                static_cast<off_t>(range.offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read ELF file", errno);
    if (got == 0) break;
    range.offset += static_cast<uint64_t>(got);
  }
  return {};
}

// Sorted by offset. Reads the headers into the buffer on the way.
Result<std::vector<FileRange>> debug_ranges(int fd, std::span<uint8_t> buffer) {
  std::vector<FileRange> ranges;
  if (auto got = read_range(fd, buffer, {0, sizeof(Elf64_Ehdr)}); !got) return got.error();
  const auto header = load<Elf64_Ehdr>(buffer, 0);
  if (!header || header->e_shoff >= buffer.size()) return ranges;
  const uint64_t table_bytes = uint64_t{header->e_shnum} * sizeof(Elf64_Shdr);
  const FileRange table{header->e_shoff, header->e_shoff + table_bytes};
  if (auto got = read_range(fd, buffer, table); !got) return got.error();
  for (uint64_t at = table.offset; at < table.end; at += sizeof(Elf64_Shdr)) {
    const auto section = load<Elf64_Shdr>(buffer, at);
    if (!section) break;
    if (!is_debug_data(section->sh_type, section->sh_flags, section->sh_size)) continue;
    ranges.push_back({section->sh_offset, section->sh_offset + section->sh_size});
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const FileRange& a, const FileRange& b) { return a.offset < b.offset; });
  return ranges;
}

// A copy of the file but for its debug information, whose pages are never touched.
Result<Mmap> copy_file(int fd, uint64_t bytes) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return errno_error("cannot allocate memory for an ELF file", errno);
  Mmap mapping(data, bytes);
  const std::span<uint8_t> buffer(static_cast<uint8_t*>(data), bytes);
  auto skipped = debug_ranges(fd, buffer);
  if (!skipped) return skipped.error();
  skipped->push_back({bytes, bytes});
  uint64_t at = 0;
  for (const FileRange& range : *skipped) {
    if (range.offset > at) {
      if (auto got = read_range(fd, buffer, {at, range.offset}); !got) return got.error();
    }
    at = std::max(at, range.end);
  }
  return mapping;
}

Result<Mmap> map_file(int fd, uint64_t bytes) {
  void* data = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED) return errno_error("cannot map ELF file", errno);
  return Mmap(data, bytes);
}

}  // namespace

ElfFile::ElfFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
ElfFile::ElfFile(ElfFile&&) noexcept = default;
ElfFile& ElfFile::operator=(ElfFile&&) noexcept = default;
ElfFile::~ElfFile() = default;

Result<ElfFile> ElfFile::open(Fd fd) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error("cannot stat ELF file", errno);
  if (!S_ISREG(info.st_mode)) return Error{"not a regular file", ExitCode::kNotSupported};
  const auto bytes = static_cast<uint64_t>(info.st_size);
  if (bytes > kMaxFileBytes) return Error{"ELF file is over 16 GiB", ExitCode::kNotSupported};
  if (bytes == 0) return Error{"not an ELF file: empty"};
  auto mapping = bytes <= kMaxCopiedBytes ? copy_file(fd.get(), bytes) : map_file(fd.get(), bytes);
  if (!mapping) return mapping.error();
  auto state = std::make_unique<State>();
  state->mapping = *std::move(mapping);
  state->bytes = {static_cast<const uint8_t*>(state->mapping.data()), bytes};
  if (auto parsed = state->parse(); !parsed) return parsed.error();
  return ElfFile(std::move(state));
}

Result<ElfFile> ElfFile::open_path(const std::string& path) {
  // O_NONBLOCK: a hostile path may name a FIFO.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return errno_error("cannot open " + path, errno);
  auto file = open(std::move(fd));
  if (file) return file;
  Error error = file.error();
  error.message = path + ": " + error.message;
  return error;
}

Result<ElfFile> ElfFile::from_bytes(std::vector<uint8_t> bytes) {
  auto state = std::make_unique<State>();
  state->buffer = std::move(bytes);
  state->bytes = state->buffer;
  if (auto parsed = state->parse(); !parsed) return parsed.error();
  return ElfFile(std::move(state));
}

bool ElfFile::position_independent() const {
  return state_->type == ET_DYN;
}
uint64_t ElfFile::entry() const {
  return state_->entry;
}
const std::vector<Segment>& ElfFile::segments() const {
  return state_->segments;
}
const std::vector<Section>& ElfFile::sections() const {
  return state_->sections;
}
std::string ElfFile::soname() const {
  return state_->soname;
}

const Section* ElfFile::section(std::string_view name) const {
  for (const Section& section : state_->sections) {
    if (section.name == name) return &section;
  }
  return nullptr;
}

std::span<const uint8_t> ElfFile::section_bytes(const Section& section) const {
  if (section.type == SHT_NOBITS) return {};
  if (is_debug_data(section.type, section.flags, section.bytes)) return {};
  return clip(state_->bytes, section.offset, section.bytes);
}

std::optional<Segment> ElfFile::eh_frame_header() const {
  for (const Elf64_Phdr& header : state_->headers) {
    if (header.p_type != PT_GNU_EH_FRAME) continue;
    return Segment{.address = header.p_vaddr,
                   .offset = header.p_offset,
                   .file_bytes = header.p_filesz,
                   .memory_bytes = header.p_memsz,
                   .executable = (header.p_flags & PF_X) != 0};
  }
  return std::nullopt;
}

uint64_t ElfFile::thread_block_bytes() const {
  constexpr uint64_t kMaxBytes = 1 << 30;
  for (const Elf64_Phdr& header : state_->headers) {
    if (header.p_type != PT_TLS) continue;
    const uint64_t align = std::max<uint64_t>(header.p_align, 1);
    if (header.p_memsz > kMaxBytes || align > kMaxBytes) return 0;
    return (header.p_memsz + align - 1) / align * align;
  }
  return 0;
}

std::string ElfFile::build_id() const {
  for (const Elf64_Phdr& header : state_->headers) {
    if (header.p_type != PT_NOTE) continue;
    const auto notes = clip(state_->bytes, header.p_offset, header.p_filesz);
    auto id = find_build_id(notes, header.p_align == 8 ? 8 : 4);
    if (!id.empty()) return id;
  }
  const Section* section = this->section(".note.gnu.build-id");
  return section == nullptr ? "" : find_build_id(section_bytes(*section), 4);
}

std::span<const uint8_t> ElfFile::State::at_address(uint64_t address, uint64_t count) const {
  for (const Segment& segment : segments) {
    const uint64_t inside = address - segment.address;
    if (address < segment.address || inside >= segment.file_bytes) continue;
    if (segment.offset + inside < inside) return {};
    return clip(bytes, segment.offset + inside, std::min(count, segment.file_bytes - inside));
  }
  return {};
}

std::span<const uint8_t> ElfFile::at_address(uint64_t address, uint64_t bytes) const {
  return state_->at_address(address, bytes);
}

std::optional<uint64_t> ElfFile::address_of_offset(uint64_t file_offset) const {
  for (const Segment& segment : state_->segments) {
    const uint64_t inside = file_offset - segment.offset;
    if (file_offset >= segment.offset && inside < segment.file_bytes) {
      return segment.address + inside;
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> ElfFile::address_of_mapping(uint64_t file_offset) const {
  constexpr uint64_t kPageMask = 0xfff;
  for (const Segment& segment : state_->segments) {
    const uint64_t slack = segment.offset & kPageMask;
    const uint64_t inside = file_offset - (segment.offset - slack);
    if (segment.executable && file_offset >= segment.offset - slack &&
        inside < segment.file_bytes + slack) {
      return segment.address - slack + inside;
    }
  }
  return address_of_offset(file_offset);
}

std::optional<uint64_t> ElfFile::offset_of_address(uint64_t address) const {
  for (const Segment& segment : state_->segments) {
    const uint64_t inside = address - segment.address;
    if (address >= segment.address && inside < segment.file_bytes) return segment.offset + inside;
  }
  return std::nullopt;
}

}  // namespace pyprof::elf
