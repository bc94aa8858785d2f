// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace pyprof {
namespace {

// Of nobody, and not "nobody" either, whose processes could look into this one.
constexpr uid_t kUser = 65'533;
constexpr int kSocket = 3;
constexpr int kNiceness = 10;
constexpr rlim_t kMaxDescriptors = 64;
constexpr std::size_t kMappedFileBytes = std::size_t{2} << 30;

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#endif

constexpr uint32_t kAllowed[] = {
    SYS_read,       SYS_pread64,        SYS_lseek,         SYS_close,        SYS_fstat,
    SYS_newfstatat, SYS_fcntl,          SYS_mmap,          SYS_munmap,       SYS_mremap,
    SYS_mprotect,   SYS_madvise,        SYS_brk,           SYS_futex,        SYS_recvmsg,
    SYS_sendmsg,    SYS_sendto,         SYS_clock_gettime, SYS_getpid,       SYS_gettid,
    SYS_exit,       SYS_rt_sigprocmask, SYS_exit_group,    SYS_rt_sigreturn, SYS_getrandom};

bool limit(__rlimit_resource resource, rlim_t value) {
  const rlimit both{value, value};
  return ::setrlimit(resource, &both) == 0;
}

// The sizes are relative to what the parent had: its memory was copied.
bool limit_memory(std::size_t memory_bytes) {
  std::size_t all = 0;
  std::size_t data = 0;
  FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return false;
  const int read = std::fscanf(file, "%zu %*u %*u %*u %*u %zu", &all, &data);
  std::fclose(file);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return read == 2 && limit(RLIMIT_DATA, data * page + memory_bytes) &&
         limit(RLIMIT_AS, all * page + memory_bytes + kMappedFileBytes);
}

bool keep_only(int socket) {
  const int nowhere = ::open("/dev/null", O_RDWR);
  if (nowhere < 0) return false;
  for (int standard = 0; standard <= 2; ++standard) {
    if (::dup2(nowhere, standard) < 0) return false;
  }
  if (socket != kSocket && ::dup2(socket, kSocket) < 0) return false;
  return ::syscall(SYS_close_range, kSocket + 1, ~0U, 0) == 0;
}

// A service without CAP_SETUID stays who it is, but without capabilities.
bool give_up_privileges() {
  const bool other = ::setgroups(0, nullptr) == 0 && ::setresgid(kUser, kUser, kUser) == 0 &&
                     ::setresuid(kUser, kUser, kUser) == 0;
  if (other) return true;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

// If the service comes near its memory limit, this is what can be spared.
void be_first_to_go() {
  const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  (void)!::write(file, "1000", 4);
  ::close(file);
}

bool filter_system_calls() {
  std::vector<sock_filter> filter = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (const uint32_t call : kAllowed) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1 /* EPERM */));
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

int enter_sandbox(int socket, std::size_t memory_bytes) {
  // Ctrl-C goes to the whole group: the parent may still want answers.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
    (void)std::signal(signal, SIG_IGN);
  be_first_to_go();
  // The number of descriptors last: the parent may have had more.
  const bool limited = limit_memory(memory_bytes) && keep_only(socket) && limit(RLIMIT_CORE, 0) &&
                       limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, kMaxDescriptors);
  if (!limited) return -1;
  (void)::setpriority(PRIO_PROCESS, 0, kNiceness);
  // After leaving user id 0, which clears it.
  if (!give_up_privileges() || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return -1;
  return filter_system_calls() ? kSocket : -1;
}

}  // namespace pyprof
