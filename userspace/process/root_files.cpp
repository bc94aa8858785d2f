// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/root_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userspace/process/mapped_file.h"

namespace pyprof::process {

std::optional<struct stat> regular_file(const Fd& fd) {
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  return status;
}

Fd open_for_reading(const Fd& path_only) {
  if (!regular_file(path_only)) return Fd();
  const std::string link = "/proc/self/fd/" + std::to_string(path_only.get());
  return Fd(::open(link.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

Fd open_root(const ProcFs& proc, int32_t pid) {
  return Fd(::open(proc.path(pid, "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

Fd open_in(const Fd& root, const std::string& path, LastLink last) {
  if (!root.valid()) return Fd();
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC | (last == LastLink::kRefuse ? O_NOFOLLOW : 0);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return open_for_reading(
      Fd(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof(how)))));
}

Fd open_perf_map(const ProcFs& proc, int32_t pid, int32_t namespace_pid) {
  const auto user = proc.user_id(pid);
  if (!user) return Fd();
  Fd file = open_in(open_root(proc, pid), "/tmp/perf-" + std::to_string(namespace_pid) + ".map",
                    LastLink::kRefuse);
  const auto status = regular_file(file);
  if (!status || (status->st_uid != 0 && status->st_uid != *user)) return Fd();
  return file;
}

Fd open_jit_dump(const ProcFs& proc, int32_t pid, int32_t namespace_pid) {
  const auto user = proc.user_id(pid);
  const auto maps = proc.maps(pid);
  if (!user || !maps) return Fd();
  const std::string name = "/jit-" + std::to_string(namespace_pid) + ".dump";
  for (const model::Mapping& mapping : maps->mappings) {
    if (!mapping.path.ends_with(name)) continue;
    auto file = open_mapping(proc, pid, mapping);
    if (!file) continue;
    const auto status = regular_file(*file);
    if (status && (status->st_uid == 0 || status->st_uid == *user)) return *std::move(file);
  }
  return Fd();
}

}  // namespace pyprof::process
