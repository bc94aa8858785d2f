// SPDX-License-Identifier: Apache-2.0
#include "userspace/reader/table_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <type_traits>

#include "userspace/base/clock.h"
#include "userspace/elf/image_header.h"

namespace pyprof::reader {
namespace {

constexpr std::array<char, 8> kMagic{'p', 'y', 'p', 't', 'a', 'b', '0', '1'};
constexpr std::size_t kMaxEntries = 65'536;
constexpr std::string_view kSuffix = ".tables";
constexpr std::string_view kUnfinished = ".new";

struct Header {
  std::array<char, 8> magic = kMagic;
  uint64_t version = 0;
  uint64_t bytes = 0;  // that follow
  uint64_t check = 0;  // over the name and what follows
};

class Hash {  // FNV-1a
 public:
  void add(const void* data, std::size_t bytes) {
    const auto* at = static_cast<const uint8_t*>(data);
    for (std::size_t i = 0; i < bytes; ++i)
      value_ = (value_ ^ at[i]) * 0x100000001b3;
  }
  template <typename T>
  void add(const T& value) {
    static_assert(std::has_unique_object_representations_v<T>);
    add(&value, sizeof(value));
  }
  void add(std::string_view text) { add(text.data(), text.size()); }
  [[nodiscard]] uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325;
};

// An entry can't stand in for another one by being renamed.
uint64_t check_of(const std::string& name, std::span<const uint8_t> bytes) {
  const auto start = ::crc32_z(0, reinterpret_cast<const Bytef*>(name.data()), name.size());
  return ::crc32_z(start, bytes.data(), bytes.size());
}

bool has_suffix(std::string_view name, std::string_view suffix) {
  return name.size() > suffix.size() && name.substr(name.size() - suffix.size()) == suffix;
}

int64_t nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

bool write_all(const Fd& fd, const void* data, std::size_t bytes) {
  const auto* at = static_cast<const uint8_t*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(fd.get(), at, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    bytes -= static_cast<std::size_t>(written);
  }
  return true;
}

// A copy, because a file that shrinks under a mapping ends the process.
std::optional<std::vector<uint8_t>> read_all(const Fd& fd, uint64_t max_bytes) {
  struct stat facts {};
  if (::fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
  const auto size = static_cast<uint64_t>(facts.st_size);
  if (size < sizeof(Header) || size > max_bytes) return std::nullopt;
  std::vector<uint8_t> bytes(size);
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got =
        ::pread(fd.get(), bytes.data() + have, size - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace

std::string CacheKey::name() const {
  return fmt::format("{}-{:016x}{}", build_id, identity, kSuffix);
}

std::optional<CacheKey> cache_key(const Fd& file, std::string_view path) {
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return std::nullopt;
  const auto image = elf::read_image_header(file.get());
  if (!image || image->build_id.empty()) return std::nullopt;
  Hash hash;
  hash.add(facts.st_ino);
  hash.add(facts.st_size);
  hash.add(nanoseconds(facts.st_ctim));
  hash.add(path);
  for (const elf::Segment& segment : image->segments) {
    hash.add(std::array{segment.address, segment.offset, segment.file_bytes,
                        static_cast<uint64_t>(segment.executable)});
  }
  return CacheKey{image->build_id, hash.value()};
}

uint64_t program_version(const std::string& program) {
  const Fd fd(::open(program.c_str(), O_RDONLY | O_CLOEXEC));
  const auto image = elf::read_image_header(fd.get());
  if (!image || image->build_id.empty()) return 0;
  Hash hash;
  hash.add(std::string_view(image->build_id));
  return hash.value();
}

TableCache::TableCache(Fd directory, uint64_t max_bytes, uint64_t version)
    : directory_(std::move(directory)), max_bytes_(max_bytes), version_(version) {}

Result<TableCache> TableCache::open(const std::string& directory, uint64_t max_bytes,
                                    uint64_t version) {
  if (version == 0) return Error{"no table cache: pyebpf-reader has no build-id"};
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return errno_error("making " + directory, errno);
  }
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat facts {};
  if (!fd.valid() || ::fstat(fd.get(), &facts) != 0) {
    return errno_error("opening " + directory, errno);
  }
  if (facts.st_uid != ::geteuid() || (facts.st_mode & 022) != 0) {
    return Error{directory + " can be written by others: no tables are kept there",
                 ExitCode::kPermission};
  }
  TableCache cache(std::move(fd), max_bytes, version);
  cache.list();
  cache.make_room();
  return cache;
}

// What a process that was killed left unfinished is removed; names of others are none of ours.
void TableCache::list() {
  const int again = ::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(again), &::closedir);
  if (!entries) return;
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string name = entry->d_name;
    struct stat facts {};
    if (::fstatat(directory_.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
    constexpr int64_t kAbandonedNs = int64_t{60} * 1'000'000'000;
    const int64_t age_ns = realtime_ns() - nanoseconds(facts.st_mtim);
    if (has_suffix(name, kUnfinished) && age_ns > kAbandonedNs) {
      ::unlinkat(directory_.get(), name.c_str(), 0);
    }
    if (!has_suffix(name, kSuffix) || entries_.size() >= kMaxEntries) continue;
    const auto bytes = static_cast<uint64_t>(facts.st_size);
    entries_[name] = {bytes, nanoseconds(facts.st_mtim)};
    bytes_ += bytes;
  }
}

void TableCache::forget(const std::string& name) {
  const auto it = entries_.find(name);
  if (it == entries_.end()) return;
  bytes_ -= it->second.bytes;
  entries_.erase(it);
}

void TableCache::make_room() {
  while (!entries_.empty() && (bytes_ > max_bytes_ || entries_.size() > kMaxEntries)) {
    const auto oldest = std::min_element(
        entries_.begin(), entries_.end(),
        [](const auto& a, const auto& b) { return a.second.used_ns < b.second.used_ns; });
    ::unlinkat(directory_.get(), oldest->first.c_str(), 0);
    forget(std::string(oldest->first));
  }
}

std::optional<FileTables> TableCache::find(const CacheKey& key) {
  const std::string name = key.name();
  const Fd fd(::openat(directory_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return std::nullopt;
  const auto bytes = read_all(fd, max_bytes_);
  if (!bytes) return std::nullopt;
  Header header;
  std::memcpy(&header, bytes->data(), sizeof(header));
  const std::span<const uint8_t> content(bytes->data() + sizeof(header),
                                         bytes->size() - sizeof(header));
  if (header.magic != kMagic || header.version != version_ || header.bytes != content.size() ||
      header.check != check_of(name, content)) {
    return std::nullopt;
  }
  ::futimens(fd.get(), nullptr);
  if (const auto it = entries_.find(name); it != entries_.end()) it->second.used_ns = realtime_ns();
  return decode(content);
}

Result<void> TableCache::store(const CacheKey& key, const FileTables& tables) {
  const std::string name = key.name();
  const std::string unfinished = name + "." + std::to_string(::getpid()) + std::string(kUnfinished);
  const auto content = encode(tables);
  if (content.size() + sizeof(Header) > max_bytes_ / 2) return {};
  Header header;
  header.version = version_;
  header.bytes = content.size();
  header.check = check_of(name, content);
  const Fd fd(::openat(directory_.get(), unfinished.c_str(),
                       O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return errno_error("writing the table cache", errno);
  const bool written =
      write_all(fd, &header, sizeof(header)) && write_all(fd, content.data(), content.size()) &&
      ::renameat(directory_.get(), unfinished.c_str(), directory_.get(), name.c_str()) == 0;
  if (!written) {
    const int error = errno;
    ::unlinkat(directory_.get(), unfinished.c_str(), 0);
    return errno_error("writing the table cache", error);
  }
  forget(name);
  const uint64_t bytes = content.size() + sizeof(header);
  entries_[name] = {bytes, realtime_ns()};
  bytes_ += bytes;
  make_room();
  return {};
}

}  // namespace pyprof::reader
