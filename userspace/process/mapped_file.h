// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"
#include "userspace/model/process.h"
#include "userspace/process/proc_fs.h"

// Gets at the file behind a mapping of another process, and at what is needed of it to turn program
// counters into addresses. Opening or reading can block for as long as a FUSE or NFS server likes:
// call from a worker thread, never from the one that drains the rings.
namespace pyprof::process {

// Opens the mapped file for reading; always a regular file (the vdso: a memory file with a copy).
// In this order:
//   1. /proc/PID/map_files: the very file, also if deleted or in another mount namespace; needs
//      CAP_CHECKPOINT_RESTORE (5.9+) or CAP_SYS_ADMIN;
//   2. the path below /proc/PID/root, resolved inside it;
//   3. the path in our own mount namespace, for a process that is gone.
// A file found by path is taken only if its inode is the mapping's and one of these holds: its
// device is, too; its build-id is; the mapping lies inside the file. The device alone can't decide:
// btrfs and overlayfs show another one in stat than in the mapping. A mapping that came with a
// build-id instead of an inode needs the build-id.
Result<Fd> open_mapping(const ProcFs& proc, int32_t pid, const model::Mapping& mapping);

// What outlives the open file.
struct FileFacts {
  static constexpr std::size_t kMaxSegments = 16;

  struct Segment {
    uint64_t address = 0;
    uint64_t offset = 0;
    uint64_t bytes = 0;  // in the file
    bool operator==(const Segment&) const = default;
  };

  bool is_elf = false;
  std::string build_id;           // lower-case hex, empty = none
  std::vector<Segment> segments;  // executable ones, at most kMaxSegments
  model::FileKey key;             // from fstat; the generation where the file system has one

  // Two files with one build-id can still differ: patchelf moves segments and keeps the id.
  [[nodiscard]] bool same_image(const FileFacts& other) const;
  // The mapping starts where the loader would map an executable segment of this file.
  [[nodiscard]] bool maps_whole_segment(const model::Mapping& mapping) const;
  // The address bias of a mapping of this file: pc - bias is the address in the file. A file that
  // is not ELF has its file offsets as addresses.
  [[nodiscard]] uint64_t bias(const model::Mapping& mapping) const;
};

// Fails only if the file can't be examined; a file that is not ELF gives is_elf = false.
Result<FileFacts> read_facts(const Fd& file);

// Raw build-id bytes as lower-case hex.
std::string hex(std::string_view bytes);

}  // namespace pyprof::process
