// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/mapped_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "userspace/elf/image_header.h"
#include "userspace/process/proc_maps.h"
#include "userspace/process/root_files.h"

namespace pyprof::process {
namespace {

constexpr int kPathOnly = O_PATH | O_CLOEXEC;

uint64_t page_bytes() {
  static const auto bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::string build_id_of(const Fd& fd) {
  const auto image = elf::read_image_header(fd.get());
  return image ? image->build_id : std::string();
}

bool inside_file(const model::Mapping& mapping, uint64_t file_bytes) {
  const uint64_t mapped = mapping.end - mapping.start;
  const uint64_t pages = (file_bytes + page_bytes() - 1) / page_bytes() * page_bytes();
  return mapping.file_offset <= pages && mapped <= pages - mapping.file_offset;
}

// The rule of open_mapping() for files found by their path.
bool is_the_mapped_file(const Fd& fd, const model::Mapping& mapping) {
  const auto status = regular_file(fd);
  if (!status) return false;
  const bool id_known = !mapping.build_id.empty();
  if (mapping.file.inode == 0) return id_known && build_id_of(fd) == hex(mapping.build_id);
  if (status->st_ino != mapping.file.inode) return false;
  if (status->st_dev == mapping.file.device) return true;
  if (id_known) return build_id_of(fd) == hex(mapping.build_id);
  return inside_file(mapping, static_cast<uint64_t>(status->st_size));
}

Fd open_map_file(const ProcFs& proc, int32_t pid, uint64_t start, uint64_t end) {
  char name[64];
  std::snprintf(name, sizeof(name), "map_files/%lx-%lx", static_cast<unsigned long>(start),
                static_cast<unsigned long>(end));
  return open_for_reading(Fd(::open(proc.path(pid, name).c_str(), kPathOnly)));
}

// The range of map_files is the kernel's own, which may be larger or smaller than the mapping as it
// was reported: it merges and splits.
Fd open_by_current_range(const ProcFs& proc, int32_t pid, const model::Mapping& mapping) {
  const auto maps = proc.maps(pid);
  if (!maps) return Fd();
  for (const auto& now : maps->mappings) {
    if (now.end <= mapping.start || now.start > mapping.start) continue;
    const bool same = mapping.file.inode == 0 ? now.path == mapping.path
                                              : now.file.inode == mapping.file.inode &&
                                                    now.file.device == mapping.file.device;
    return same ? open_map_file(proc, pid, now.start, now.end) : Fd();
  }
  return Fd();
}

Fd open_by_map_files(const ProcFs& proc, int32_t pid, const model::Mapping& mapping) {
  Fd exact = open_map_file(proc, pid, mapping.start, mapping.end);
  if (is_the_mapped_file(exact, mapping)) return exact;
  return open_by_current_range(proc, pid, mapping);
}

Fd open_in_root(const ProcFs& proc, int32_t pid, const model::Mapping& mapping) {
  Fd file = open_in(open_root(proc, pid), mapping.path);
  return is_the_mapped_file(file, mapping) ? std::move(file) : Fd();
}

Fd open_in_our_namespace(const model::Mapping& mapping) {
  open_how how{};
  how.flags = kPathOnly;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  const Fd found(
      static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, mapping.path.c_str(), &how, sizeof(how))));
  Fd file = open_for_reading(found);
  return is_the_mapped_file(file, mapping) ? std::move(file) : Fd();
}

// All 64-bit processes of a kernel have the same vdso image, so ours will do.
Result<Fd> copy_vdso() {
  const auto* image = reinterpret_cast<const char*>(::getauxval(AT_SYSINFO_EHDR));
  const auto maps = ProcFs().maps(static_cast<int32_t>(::getpid()));
  if (image == nullptr || !maps) return Error{"copying the vdso: this process has none"};
  const auto& all = maps->mappings;
  const auto own = std::find_if(all.begin(), all.end(), is_vdso);
  if (own == all.end()) return Error{"copying the vdso: it is not mapped"};
  Fd file(::memfd_create("vdso", MFD_CLOEXEC));
  const auto bytes = static_cast<ssize_t>(own->end - own->start);
  if (!file.valid() || ::write(file.get(), image, static_cast<std::size_t>(bytes)) != bytes) {
    return errno_error("copying the vdso", errno);
  }
  return file;
}

uint64_t inode_generation(const Fd& fd) {
  long generation = 0;
  if (::ioctl(fd.get(), FS_IOC_GETVERSION, &generation) != 0) return 0;
  return static_cast<uint32_t>(generation);
}

}  // namespace

Result<Fd> open_mapping(const ProcFs& proc, int32_t pid, const model::Mapping& mapping) {
  if (is_vdso(mapping)) return copy_vdso();
  if (!has_file(mapping)) return Error{"opening " + mapping.path + ": there is no file behind it"};
  Fd file = open_by_map_files(proc, pid, mapping);
  if (!file.valid()) file = open_in_root(proc, pid, mapping);
  if (!file.valid()) file = open_in_our_namespace(mapping);
  if (file.valid()) return file;
  return Error{"opening " + mapping.path + " of process " + std::to_string(pid) +
                   ": it is deleted, replaced or not readable; give the profiler "
                   "CAP_CHECKPOINT_RESTORE to reach it through map_files",
               ExitCode::kNoProcess};
}

bool FileFacts::same_image(const FileFacts& other) const {
  return is_elf && other.is_elf && build_id == other.build_id && segments == other.segments;
}

bool FileFacts::maps_whole_segment(const model::Mapping& mapping) const {
  return std::any_of(segments.begin(), segments.end(), [&](const Segment& segment) {
    return segment.offset - segment.offset % page_bytes() == mapping.file_offset;
  });
}

uint64_t FileFacts::bias(const model::Mapping& mapping) const {
  const uint64_t load = mapping.start - (is_vdso(mapping) ? 0 : mapping.file_offset);
  const uint64_t offset = mapping.start - load;
  for (const auto& segment : segments) {
    const uint64_t padding = segment.offset % page_bytes();
    const uint64_t first = segment.offset - padding;
    const bool inside = offset >= first && offset - first < segment.bytes + padding;
    if (inside) return load + segment.offset - segment.address;
  }
  return load;
}

Result<FileFacts> read_facts(const Fd& file) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return errno_error("examining a mapped file", errno);
  FileFacts facts;
  facts.key = {status.st_dev, status.st_ino, inode_generation(file)};
  const auto image = elf::read_image_header(file.get());
  if (!image) return facts;
  facts.is_elf = true;
  facts.build_id = image->build_id;
  for (const auto& segment : image->segments) {
    if (segment.executable && facts.segments.size() < FileFacts::kMaxSegments) {
      facts.segments.push_back({segment.address, segment.offset, segment.file_bytes});
    }
  }
  return facts;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto value = static_cast<unsigned char>(c);
    out.push_back(kDigits[value >> 4]);
    out.push_back(kDigits[value & 15]);
  }
  return out;
}

}  // namespace pyprof::process
