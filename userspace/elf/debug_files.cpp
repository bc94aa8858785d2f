// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/debug_files.h"

#include <elf.h>
#include <lzma.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <memory>

#include "userspace/elf/byte_reader.h"

namespace pyprof::elf {
namespace {

constexpr std::size_t kMaxUnpackedBytes = std::size_t{64} << 20;
constexpr uint64_t kMaxUnpackerBytes = uint64_t{64} << 20;
constexpr off_t kMaxCrcBytes = off_t{512} << 20;
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxLinkBytes = 255;

struct Unpacker {
  lzma_stream stream = LZMA_STREAM_INIT;
  ~Unpacker() { lzma_end(&stream); }
};

std::vector<uint8_t> unpack(std::span<const uint8_t> packed) {
  const auto unpacker = std::make_unique<Unpacker>();
  lzma_stream& stream = unpacker->stream;
  if (lzma_stream_decoder(&stream, kMaxUnpackerBytes, 0) != LZMA_OK) return {};
  std::vector<uint8_t> out;
  stream.next_in = packed.data();
  stream.avail_in = packed.size();
  while (out.size() < kMaxUnpackedBytes) {
    const std::size_t before = out.size();
    out.resize(before + std::min(std::max(before, kChunkBytes), kMaxUnpackedBytes - before));
    stream.next_out = out.data() + before;
    stream.avail_out = out.size() - before;
    const lzma_ret status = lzma_code(&stream, LZMA_FINISH);
    out.resize(out.size() - stream.avail_out);
    if (status == LZMA_STREAM_END) return out;
    if (status != LZMA_OK) return {};
  }
  return {};
}

}  // namespace

std::optional<DebugLink> debug_link(const ElfFile& file) {
  const Section* section = file.section(".gnu_debuglink");
  if (section == nullptr) return std::nullopt;
  const auto bytes = file.section_bytes(*section);
  const auto end = std::find(bytes.begin(), bytes.end(), uint8_t{0});
  const auto length = static_cast<std::size_t>(end - bytes.begin());
  const auto crc = load<uint32_t>(bytes, (length + 4) & ~std::size_t{3});
  DebugLink link{{bytes.begin(), end}, crc.value_or(0)};
  const bool sane = crc && end != bytes.end() && length > 0 && length <= kMaxLinkBytes &&
                    link.name.find('/') == std::string::npos && link.name != ".." &&
                    link.name != ".";
  return sane ? std::optional(std::move(link)) : std::nullopt;
}

std::optional<uint32_t> debug_crc(const Fd& file) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || status.st_size > kMaxCrcBytes) return std::nullopt;
  std::vector<uint8_t> chunk(kChunkBytes);
  uLong crc = ::crc32(0, nullptr, 0);
  for (off_t at = 0; at < status.st_size;) {
    const ssize_t got = ::pread(file.get(), chunk.data(), chunk.size(), at);
    if (got <= 0) return std::nullopt;
    crc = ::crc32(crc, chunk.data(), static_cast<uInt>(got));
    at += got;
  }
  return static_cast<uint32_t>(crc);
}

std::optional<ElfFile> mini_debug_info(const ElfFile& file) {
  const Section* section = file.section(".gnu_debugdata");
  if (section == nullptr) return std::nullopt;
  auto inner = ElfFile::from_bytes(unpack(file.section_bytes(*section)));
  if (!inner) return std::nullopt;
  return std::move(*inner);
}

bool is_debug_file_of(const ElfFile& file, const ElfFile& debug, const Fd& debug_fd) {
  // A link to the very file would be no separate one.
  if (debug.section(".symtab") == nullptr && !has_debug_info(debug)) return false;
  const std::string wanted = file.build_id();
  const std::string found = debug.build_id();
  if (!wanted.empty() && !found.empty()) return found == wanted;
  const auto link = debug_link(file);
  return link && debug_crc(debug_fd) == link->crc;
}

bool has_debug_info(const ElfFile& file) {
  const Section* section = file.section(".debug_info");
  return section != nullptr && section->type != SHT_NOBITS && section->bytes > 0;
}

}  // namespace pyprof::elf
