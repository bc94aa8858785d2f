// SPDX-License-Identifier: Apache-2.0
#include "userspace/debuginfod/download.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "userspace/base/clock.h"
#include "userspace/debuginfod/protocol.h"

namespace pyprof::debuginfod {
namespace {

constexpr uint64_t kMaxNs = 300'000'000'000;

// Nothing of our environment, which may hold proxies' passwords for others and other servers.
pid_t spawn(const Options& options, const std::string& build_id, const Fd& socket) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, socket.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::array<std::string, 4> arguments{options.program, build_id, options.folder,
                                       std::to_string(options.folder_bytes)};
  std::string urls = "DEBUGINFOD_URLS=" + options.urls;
  char* const argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                        arguments[3].data(), nullptr};
  char* const environment[] = {urls.data(), nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, argv[0], &actions, &attributes, argv, environment);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? pid : 0;
}

// True when the program has said something or is gone.
bool wait_for(const Fd& socket, const Fd& cancel) {
  const uint64_t end_ns = monotonic_ns() + kMaxNs;
  for (uint64_t now_ns = monotonic_ns(); now_ns < end_ns; now_ns = monotonic_ns()) {
    pollfd polls[] = {{socket.get(), POLLIN, 0}, {cancel.get(), POLLIN, 0}};
    const int ready = ::poll(polls, 2, static_cast<int>((end_ns - now_ns) / 1'000'000) + 1);
    if (ready < 0 && errno != EINTR) return false;
    if (ready <= 0) continue;
    return polls[1].revents == 0;
  }
  return false;
}

Fd receive_file(const Fd& socket) {
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    cmsghdr aligned;
  } control{};
  char byte = 0;
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  if (::recvmsg(socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1) return Fd();
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_len != CMSG_LEN(sizeof(int))) return Fd();
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return Fd(fd);
}

Outcome outcome_of(int wait_status) {
  if (!WIFEXITED(wait_status)) return Outcome::kFailed;
  switch (WEXITSTATUS(wait_status)) {
    case kExitMissing:
      return Outcome::kMissing;
    case kExitNoLibrary:
      return Outcome::kNoLibrary;
    default:
      return Outcome::kFailed;
  }
}

}  // namespace

Download download(const Options& options, const std::string& build_id, const Fd& cancel) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return {};
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  const pid_t pid = spawn(options, build_id, theirs);
  theirs.reset();
  if (pid == 0) return {};
  const bool answered = wait_for(ours, cancel);
  Fd file = answered ? receive_file(ours) : Fd();
  if (!answered) ::kill(pid, SIGKILL);
  int wait_status = 0;
  while (::waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  if (file.valid()) return {Outcome::kFound, std::move(file)};
  return {answered ? outcome_of(wait_status) : Outcome::kCancelled, Fd()};
}

}  // namespace pyprof::debuginfod
