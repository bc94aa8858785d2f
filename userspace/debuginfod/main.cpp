// SPDX-License-Identifier: Apache-2.0
// pyebpf-debuginfod: downloads one debug file for pyebpf-prof; protocol.h says how it is called. A
// program of its own because it talks to servers: it has no privileges and nothing that its parent
// has open.
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "userspace/debuginfod/cache_folder.h"
#include "userspace/debuginfod/fetch.h"
#include "userspace/debuginfod/protocol.h"

namespace pyprof::debuginfod {
namespace {

// Of nobody, and not of those who read files for pyebpf-prof either.
constexpr uid_t kUser = 65'532;
constexpr unsigned kMaxSeconds = 290;

bool limit(__rlimit_resource resource, rlim_t value) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return false;
  const rlim_t allowed = now.rlim_max < value ? now.rlim_max : value;
  const rlimit next{allowed, allowed};
  return ::setrlimit(resource, &next) == 0;
}

bool set_limits() {
  ::alarm(kMaxSeconds);
  return limit(RLIMIT_AS, rlim_t{2} << 30) && limit(RLIMIT_FSIZE, rlim_t{2} << 30) &&
         limit(RLIMIT_CPU, 120) && limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, 256);
}

// A service without CAP_SETUID stays who it is, but without capabilities.
bool give_up_privileges() {
  const bool other = ::setgroups(0, nullptr) == 0 && ::setresgid(kUser, kUser, kUser) == 0 &&
                     ::setresuid(kUser, kUser, kUser) == 0;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return (other || ::syscall(SYS_capset, &header, none) == 0) &&
         ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool send_file(const Fd& file) {
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    cmsghdr aligned;
  } control{};
  char byte = 1;
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = file.get();
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  return ::sendmsg(STDIN_FILENO, &message, MSG_NOSIGNAL) == 1;
}

int run(const char* build_id, const char* folder, const char* max_bytes) {
  const pid_t parent = ::getppid();
  ::umask(0077);
  if (!enter_folder(folder, kUser) || !set_limits() || !give_up_privileges()) return kExitSandbox;
  // Leaving user id 0 cleared it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) return kExitFailed;
  trim_folder(std::strtoull(max_bytes, nullptr, 10));
  const Fetched fetched = fetch(build_id);
  if (fetched.exit_code == kExitFound && !send_file(fetched.file)) return kExitFailed;
  return fetched.exit_code;
}

}  // namespace
}  // namespace pyprof::debuginfod

int main(int argc, char** argv) {
  if (argc != 4) return pyprof::debuginfod::kExitUsage;
  return pyprof::debuginfod::run(argv[1], argv[2], argv[3]);
}
