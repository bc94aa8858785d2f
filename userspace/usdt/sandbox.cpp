// SPDX-License-Identifier: Apache-2.0
#include "userspace/usdt/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace pyprof::usdt {
namespace {

constexpr off_t kMaxCopyBytes = 256L << 20;
constexpr rlim_t kMaxMemoryBytes = 2UL << 30;
constexpr rlim_t kMaxCpuSeconds = 10;
constexpr rlim_t kMaxFiles = 8'192;
constexpr unsigned kMaxSeconds = 15;
// Of nobody, and not "nobody" either, whose processes could look into this one.
constexpr uid_t kUser = 65'533;

bool limit(__rlimit_resource resource, rlim_t value) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return false;
  const rlim_t allowed = now.rlim_max < value ? now.rlim_max : value;
  const rlimit next{allowed, allowed};
  return ::setrlimit(resource, &next) == 0;
}

bool set_limits() {
  ::alarm(kMaxSeconds);
  return limit(RLIMIT_AS, kMaxMemoryBytes) && limit(RLIMIT_CPU, kMaxCpuSeconds) &&
         limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, kMaxFiles) &&
         limit(RLIMIT_NPROC, 0);
}

// Leaving user id 0 clears the capabilities; /proc/self stays ours only if we are dumpable.
bool become_nobody() {
  return ::setgroups(0, nullptr) == 0 && ::setresgid(kUser, kUser, kUser) == 0 &&
         ::setresuid(kUser, kUser, kUser) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
}

}  // namespace

Result<Fd> make_readable(Fd file) {
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return errno_error("looking at a mapped file", errno);
  if ((facts.st_mode & S_IROTH) != 0 || ::geteuid() != 0) return file;
  if (facts.st_size > kMaxCopyBytes) return Error{"a mapped file is over 256 MiB"};
  Fd copy(::memfd_create("probes", MFD_CLOEXEC));
  if (!copy.valid()) return errno_error("making a memory file", errno);
  off_t at = 0;
  while (at < facts.st_size) {
    const ssize_t bytes =
        ::sendfile(copy.get(), file.get(), &at, static_cast<std::size_t>(facts.st_size - at));
    if (bytes < 0) return errno_error("copying a mapped file", errno);
    if (bytes == 0) break;
  }
  if (::fchmod(copy.get(), 0444) != 0) return errno_error("sharing a memory file", errno);
  return copy;
}

Result<void> enter_sandbox() {
  const Fd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (!nowhere.valid() || ::dup2(nowhere.get(), STDERR_FILENO) < 0) {
    return errno_error("closing standard error", errno);
  }
  if (!set_limits()) return errno_error("limiting resources", errno);
  if (::geteuid() == 0 && !become_nobody()) return errno_error("giving up privileges", errno);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return errno_error("giving up privileges", errno);
  }
  return {};
}

}  // namespace pyprof::usdt
