// SPDX-License-Identifier: Apache-2.0
#include "userspace/reader/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace pyprof::reader {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// Files are mapped up to 16 GiB, so address space can't be the measure of memory.
constexpr rlim_t kAddressSpaceBytes = rlim_t{20} << 30;

constexpr std::array kAllowed{
    SCMP_SYS(read),       SCMP_SYS(pread64),    SCMP_SYS(write),  SCMP_SYS(fstat),
    SCMP_SYS(newfstatat), SCMP_SYS(close),      SCMP_SYS(munmap), SCMP_SYS(mremap),
    SCMP_SYS(madvise),    SCMP_SYS(brk),        SCMP_SYS(futex),  SCMP_SYS(clock_gettime),
    SCMP_SYS(getrandom),  SCMP_SYS(exit_group), SCMP_SYS(exit),   SCMP_SYS(rt_sigreturn),
};

bool limit(__rlimit_resource resource, rlim_t value) {
  const rlimit next{value, value};
  return ::setrlimit(resource, &next) == 0;
}

bool set_limits(const Request& request) {
  const bool memory = kSanitized || (limit(RLIMIT_AS, kAddressSpaceBytes) &&
                                     limit(RLIMIT_DATA, request.memory_bytes));
  return memory && limit(RLIMIT_CPU, request.cpu_seconds) &&
         limit(RLIMIT_FSIZE, request.result_bytes) && limit(RLIMIT_CORE, 0) &&
         limit(RLIMIT_NOFILE, 32);
}

bool drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

// Everything else is closed: the kernel's maps, sockets, other people's files.
bool keep_only(std::span<const Fd> kept) {
  std::vector<unsigned> numbers;
  for (const Fd& fd : kept)
    numbers.push_back(static_cast<unsigned>(fd.get()));
  std::sort(numbers.begin(), numbers.end());
  unsigned next = 0;
  for (const unsigned number : numbers) {
    if (number > next && ::syscall(SYS_close_range, next, number - 1, 0) != 0) return false;
    next = number + 1;
  }
  return ::syscall(SYS_close_range, next, ~0u, 0) == 0;
}

}  // namespace

void Sandbox::Release::operator()(void* filter) const {
  ::seccomp_release(filter);
}

Result<Sandbox> Sandbox::build() {
  Sandbox sandbox(::seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (!sandbox.filter_) return Error{"making a system call filter failed"};
  int failed = 0;
  for (const int call : kAllowed) {
    failed |= ::seccomp_rule_add(sandbox.filter_.get(), SCMP_ACT_ALLOW, call, 0);
  }
  failed |= ::seccomp_rule_add(sandbox.filter_.get(), SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                               SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC));
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    failed |= ::seccomp_rule_add(sandbox.filter_.get(), SCMP_ACT_ALLOW, call, 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  }
  if (failed != 0) return Error{"making a system call filter failed"};
  return sandbox;
}

Result<void> Sandbox::enter(const Request& request, std::span<const Fd> kept) const {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!keep_only(kept)) return errno_error("closing descriptors", errno);
  if (!set_limits(request)) return errno_error("limiting resources", errno);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !drop_capabilities()) {
    return errno_error("giving up privileges", errno);
  }
  if (kSanitized) return {};
  if (const int error = ::seccomp_load(filter_.get()); error != 0) {
    return errno_error("loading a system call filter", -error);
  }
  return {};
}

}  // namespace pyprof::reader
