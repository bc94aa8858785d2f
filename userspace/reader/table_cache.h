// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"
#include "userspace/reader/file_tables.h"

namespace pyprof::reader {

// A file as the cache knows it: the build-id and a hash over inode, size, time of change, path and
// executable segments, so that nobody can pass his file off as another one by its build-id.
struct CacheKey {
  std::string build_id;  // lower-case hex
  uint64_t identity = 0;
  [[nodiscard]] std::string name() const;
};

// Empty for a file that can't be cached: it has no build-id.
[[nodiscard]] std::optional<CacheKey> cache_key(const Fd& file, std::string_view path);

// Encoded tables in a directory, one file each, at most `max_bytes` in all: the least recently used
// go first. What is damaged or written by another build of the parser counts as absent and is
// overwritten. Several processes may use one directory. One thread.
class TableCache {
 public:
  // Makes the directory (0700) if its parent is there. Fails if it is not ours alone to write, and
  // if `version` = 0: the parser can't be told from others.
  static Result<TableCache> open(const std::string& directory, uint64_t max_bytes,
                                 uint64_t version);

  // Counts as a use.
  [[nodiscard]] std::optional<FileTables> find(const CacheKey& key);
  // Replaces the entry as a whole or not at all. Not synchronised to the disk: what a crash of the
  // machine leaves is found to be damaged.
  Result<void> store(const CacheKey& key, const FileTables& tables);

  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    uint64_t bytes = 0;
    int64_t used_ns = 0;  // realtime
  };
  TableCache(Fd directory, uint64_t max_bytes, uint64_t version);
  void list();
  void forget(const std::string& name);
  void make_room();

  Fd directory_;
  uint64_t max_bytes_;
  uint64_t version_;
  uint64_t bytes_ = 0;
  std::map<std::string, Entry> entries_;
};

// Tells one build of a program from others; 0 = it has no build-id.
[[nodiscard]] uint64_t program_version(const std::string& program);

}  // namespace pyprof::reader
