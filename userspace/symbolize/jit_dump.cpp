// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/jit_dump.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "userspace/elf/byte_reader.h"

namespace pyprof::symbolize {
namespace {

constexpr uint32_t kMagic = 0x4a695444;
constexpr uint32_t kMinHeaderBytes = 40;
constexpr uint32_t kPrefixBytes = 16;  // of every record: id, size, time
constexpr uint32_t kLoadId = 0;
constexpr uint32_t kMoveId = 1;
constexpr std::size_t kLoadBytes = 40;  // before the name
constexpr std::size_t kMaxReadBytes = kPrefixBytes + kLoadBytes + JitDump::kMaxNameBytes;

using Buffer = std::array<uint8_t, kMaxReadBytes>;

JitDumpRecord load_record(elf::ByteReader& reader) {
  JitDumpRecord record;
  record.kind = JitDumpRecord::Kind::kLoad;
  (void)reader.take(16);  // pid, tid, address at which the code is executed: the next one again
  record.start = reader.read<uint64_t>();
  record.bytes = reader.read<uint64_t>();
  (void)reader.take(8);  // a number
  const auto rest = reader.rest();
  const auto end = std::find(rest.begin(), rest.end(), uint8_t{0});
  record.name.assign(rest.begin(), end);
  return record;
}

JitDumpRecord move_record(elf::ByteReader& reader) {
  JitDumpRecord record;
  record.kind = JitDumpRecord::Kind::kMove;
  (void)reader.take(16);
  record.old_start = reader.read<uint64_t>();
  record.start = reader.read<uint64_t>();
  record.bytes = reader.read<uint64_t>();
  return record;
}

}  // namespace

std::optional<JitDump> JitDump::at_start(int fd) {
  std::array<uint8_t, kMinHeaderBytes> header{};
  if (::pread(fd, header.data(), header.size(), 0) != static_cast<ssize_t>(header.size())) {
    return std::nullopt;
  }
  elf::ByteReader reader(header);
  const auto magic = reader.read<uint32_t>();
  (void)reader.read<uint32_t>();  // version
  const auto header_bytes = reader.read<uint32_t>();
  if (magic != kMagic || header_bytes < kMinHeaderBytes) return std::nullopt;
  return JitDump(header_bytes);
}

std::optional<JitDumpRecord> JitDump::next(int fd) {
  Buffer buffer;
  const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset_));
  if (got < static_cast<ssize_t>(kPrefixBytes)) return std::nullopt;
  bytes_read_ += static_cast<uint64_t>(got);
  elf::ByteReader prefix({buffer.data(), kPrefixBytes});
  const auto id = prefix.read<uint32_t>();
  const auto total = prefix.read<uint32_t>();
  struct stat status {};
  const bool whole = total >= kPrefixBytes && ::fstat(fd, &status) == 0 &&
                     offset_ + total <= static_cast<uint64_t>(status.st_size);
  if (!whole) return std::nullopt;
  offset_ += total;
  const auto bytes = std::min<std::size_t>(total, static_cast<std::size_t>(got)) - kPrefixBytes;
  elf::ByteReader body({buffer.data() + kPrefixBytes, bytes});
  JitDumpRecord record;
  if (id == kLoadId) record = load_record(body);
  if (id == kMoveId) record = move_record(body);
  return body.failed() ? JitDumpRecord() : record;
}

}  // namespace pyprof::symbolize
