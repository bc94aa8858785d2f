// SPDX-License-Identifier: Apache-2.0
#include "userspace/reader/sandbox.h"

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
         limit(RLIMIT_NOFILE, 16);
}

bool drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

// Everything but the two descriptors is closed: the kernel's maps, sockets, other people's files.
bool keep_only(int file, int result) {
  const auto low = static_cast<unsigned>(std::min(file, result));
  const auto high = static_cast<unsigned>(std::max(file, result));
  return (low == 0 || ::syscall(SYS_close_range, 0u, low - 1, 0) == 0) &&
         (high == low + 1 || ::syscall(SYS_close_range, low + 1, high - 1, 0) == 0) &&
         ::syscall(SYS_close_range, high + 1, ~0u, 0) == 0;
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
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    failed |= ::seccomp_rule_add(sandbox.filter_.get(), SCMP_ACT_ALLOW, call, 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  }
  if (failed != 0) return Error{"making a system call filter failed"};
  return sandbox;
}

Result<void> Sandbox::enter(const Request& request, int file, int result) const {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!keep_only(file, result)) return errno_error("closing descriptors", errno);
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
