// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/model/process.h"
#include "userspace/process/mapped_file.h"
#include "userspace/process/proc_fs.h"

// The numbers of executable files. Safe for several threads; no lock is held while a file is read.
namespace pyprof::process {

// A file and where a mapping of it lies: pc - bias is the address in the file.
struct FileBinding {
  model::FileId file = 0;
  uint64_t bias = 0;
};

// A file gets its number once it has been read, so that every holder of the number agrees on its
// addresses. Files with one build-id and the same executable segments share a number. Numbers are
// never reused; a file that was evicted and comes back gets a new one.
class FileTable {
 public:
  static constexpr std::size_t kDefaultMaxFiles = 32'768;
  static constexpr std::size_t kMaxPathBytes = 1024;  // of FileInfo, the tail is kept

  explicit FileTable(std::size_t max_files = kDefaultMaxFiles) : max_files_(max_files) {}

  // Without touching any file: nothing if identify() has not yet met the file. An inode whose
  // generation one side doesn't know (scans of /proc don't) counts as the same file.
  std::optional<FileBinding> find(const model::Mapping& mapping);
  // Like find(), but reads a file at its first sight; can block, see mapped_file.h. Fails if the
  // file can't be opened or the mapping has none. Nothing is kept of a failure.
  Result<FileBinding> identify(const ProcFs& proc, int32_t pid, const model::Mapping& mapping);

  std::optional<model::FileInfo> info(model::FileId id);

  [[nodiscard]] std::size_t size() const;
  // Files dropped because the table was full, the longest unused first.
  [[nodiscard]] uint64_t evicted() const;

 private:
  struct File {
    model::FileInfo info;
    FileFacts facts;
    uint64_t last_use = 0;
  };
  struct Inode {
    uint64_t device = 0;
    uint64_t number = 0;
    bool operator==(const Inode&) const = default;
  };
  struct InodeHash {
    std::size_t operator()(const Inode& inode) const {
      return std::hash<uint64_t>{}(inode.number * 0x9e3779b97f4a7c15ULL ^ inode.device);
    }
  };
  struct Owner {  // of an inode, one per generation
    uint64_t generation = 0;
    model::FileId file = 0;
  };

  [[nodiscard]] model::FileId lookup(const model::Mapping& mapping) const;
  [[nodiscard]] model::FileId lookup_inode(const model::Mapping& mapping) const;
  [[nodiscard]] model::FileId lookup_build_id(const model::Mapping& mapping) const;
  [[nodiscard]] model::FileId same_image(const FileFacts& facts) const;
  model::FileId add(const model::Mapping& mapping, FileFacts facts);
  model::FileId add_file(const model::Mapping& mapping, FileFacts facts);
  void add_names(const model::Mapping& mapping, const model::FileKey& seen, model::FileId id);
  FileBinding bind(model::FileId id, const model::Mapping& mapping);
  void evict();

  const std::size_t max_files_;
  mutable std::mutex mutex_;  // guards all below
  std::unordered_map<model::FileId, File> files_;
  std::unordered_map<Inode, std::vector<Owner>, InodeHash> inodes_;
  std::unordered_map<std::string, std::vector<model::FileId>> build_ids_;
  // build-id and path, only where the build-id and the mapping's offset don't tell
  std::unordered_map<std::string, model::FileId> variants_;
  model::FileId vdso_ = 0;
  model::FileId next_id_ = 1;
  uint64_t uses_ = 0;
  uint64_t evicted_ = 0;
};

}  // namespace pyprof::process
