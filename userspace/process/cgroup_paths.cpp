// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/cgroup_paths.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <string_view>

namespace pyprof::process {
namespace {

constexpr int kKernfsHandle = 0xfe;  // FILEID_KERNFS, since Linux 5.5: the handle is the id

struct Mount {
  std::string root;
  std::string point;
  std::string type;
  std::string super_options;
};

// mountinfo escapes space, tab, newline and backslash as three octal digits.
std::string unescape_octal(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '\\' && i + 3 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '3';
    if (!escape) {
      out.push_back(text[i]);
      continue;
    }
    out.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                    (text[i + 3] - '0')));
    i += 3;
  }
  return out;
}

std::string_view next_word(std::string_view& rest) {
  const auto end = rest.find(' ');
  const auto word = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return word;
}

// "ID PARENT MAJ:MIN ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER_OPTIONS"
Mount parse_mount(std::string_view line) {
  Mount mount;
  for (int i = 0; i < 3; ++i)
    next_word(line);
  mount.root = unescape_octal(next_word(line));
  mount.point = unescape_octal(next_word(line));
  while (!line.empty() && next_word(line) != "-") {
  }
  mount.type = next_word(line);
  next_word(line);
  mount.super_options = next_word(line);
  return mount;
}

bool has_option(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const auto end = options.find(',');
    if (options.substr(0, end) == wanted) return true;
    if (end == std::string_view::npos) return false;
    options.remove_prefix(end + 1);
  }
  return false;
}

// Containers see several mounts of one hierarchy; the one of its root is the one to use.
void prefer(std::string& point, const Mount& mount) {
  if (point.empty() || mount.root == "/") point = mount.point;
}

Fd open_directory(int parent, const char* name) {
  return Fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Only these file systems take an id for a file handle.
bool is_cgroup_mount(const Fd& directory) {
  struct statfs status {};
  if (!directory.valid() || ::fstatfs(directory.get(), &status) != 0) return false;
  return status.f_type == CGROUP_SUPER_MAGIC || status.f_type == CGROUP2_SUPER_MAGIC;
}

std::string descriptor_path(const Fd& fd) {
  const std::string link = "/proc/self/fd/" + std::to_string(fd.get());
  std::array<char, PATH_MAX> target{};
  const auto count = ::readlink(link.c_str(), target.data(), target.size());
  return std::string(target.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
}

}  // namespace

CgroupLayout detect_cgroups(const ProcFs& proc) {
  CgroupLayout layout;
  const auto text = proc.mountinfo(0);
  if (!text) return layout;
  bool v1 = false;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const Mount mount = parse_mount(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (mount.type == "cgroup2") prefer(layout.v2_mount, mount);
    if (mount.type != "cgroup") continue;
    const bool controllers = mount.super_options.find("name=") == std::string::npos;
    v1 = v1 || controllers;
    if (has_option(mount.super_options, "cpuacct")) prefer(layout.cpuacct_mount, mount);
  }
  const bool v2 = !layout.v2_mount.empty();
  if (v1) layout.mode = v2 ? CgroupMode::kHybrid : CgroupMode::kV1;
  if (!v1 && v2) layout.mode = CgroupMode::kV2;
  return layout;
}

CgroupPaths::CgroupPaths(const CgroupLayout& layout, CgroupHierarchy hierarchy, Limits limits)
    : mount_point_(hierarchy == CgroupHierarchy::kV2 ? layout.v2_mount : layout.cpuacct_mount),
      limits_(limits) {
  if (!mount_point_.empty()) mount_ = open_directory(AT_FDCWD, mount_point_.c_str());
  opens_by_id_ = is_cgroup_mount(mount_);
}

std::optional<std::string> CgroupPaths::find(uint64_t id, Clock::time_point now) {
  if (!mount_.valid()) return std::nullopt;
  if (!paths_.contains(id) && open_by_id(id) == Opened::kNotPossible) scan(now);
  const auto found = paths_.find(id);
  if (found == paths_.end()) return std::nullopt;
  return found->second;
}

CgroupPaths::Opened CgroupPaths::open_by_id(uint64_t id) {
  if (!opens_by_id_) return Opened::kNotPossible;
  alignas(file_handle) std::array<char, sizeof(file_handle) + sizeof(id)> storage{};
  auto* handle = reinterpret_cast<file_handle*>(storage.data());
  handle->handle_bytes = sizeof(id);
  handle->handle_type = kKernfsHandle;
  std::memcpy(storage.data() + sizeof(file_handle), &id, sizeof(id));
  const Fd cgroup(::open_by_handle_at(mount_.get(), handle, O_PATH | O_CLOEXEC));
  if (!cgroup.valid()) return errno == ESTALE ? Opened::kGone : Opened::kNotPossible;
  struct stat status {};
  const bool same = ::fstat(cgroup.get(), &status) == 0 && status.st_ino == id;
  const auto path = descriptor_path(cgroup);
  if (!same || !S_ISDIR(status.st_mode) || !path.starts_with(mount_point_)) {
    return Opened::kNotPossible;
  }
  const auto below = path.substr(mount_point_.size());
  remember(id, below.empty() ? "/" : below);
  return Opened::kFound;
}

void CgroupPaths::scan(Clock::time_point now) {
  if (last_scan_ && now - *last_scan_ < limits_.scan_interval) return;
  last_scan_ = now;
  ++scans_;
  paths_.clear();
  struct stat status {};
  if (::fstat(mount_.get(), &status) == 0) remember(status.st_ino, "/");
  scan_directory(open_directory(mount_.get(), "."), "", 0);
}

void CgroupPaths::scan_directory(Fd directory, const std::string& path, std::size_t depth) {
  if (!directory.valid() || depth >= limits_.max_depth) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(directory.get()), &::closedir);
  if (!entries) return;
  (void)directory.release();  // closedir() owns it now
  while (const dirent* entry = ::readdir(entries.get())) {
    if (paths_.size() >= limits_.max_paths) return;
    const std::string_view name = entry->d_name;
    if (entry->d_type != DT_DIR || name == "." || name == "..") continue;
    const std::string below = path + "/" + std::string(name);
    remember(entry->d_ino, below);
    scan_directory(open_directory(::dirfd(entries.get()), entry->d_name), below, depth + 1);
  }
}

void CgroupPaths::remember(uint64_t id, std::string path) {
  // Starting over is enough: ids in use are asked for again and found again.
  if (paths_.size() >= limits_.max_paths) paths_.clear();
  paths_.insert_or_assign(id, std::move(path));
}

}  // namespace pyprof::process
