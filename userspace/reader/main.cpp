// SPDX-License-Identifier: Apache-2.0
// pyebpf-reader: parses executable files for pyebpf-prof, each in a process of its own that can do
// nothing else. Started by it with a socket as standard input; protocol.h says what is spoken. This
// process never looks into a file.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <string>

#include "userspace/base/fd.h"
#include "userspace/reader/file_tables.h"
#include "userspace/reader/sandbox.h"

namespace pyprof::reader {
namespace {

constexpr int kSocket = STDIN_FILENO;

struct Job {
  Request request;
  std::string path;
  Fd file;
  Fd result;
};

bool receive(void* into, std::size_t bytes) {
  return bytes == 0 || ::recv(kSocket, into, bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes);
}

// False at the end of the socket: nobody asks any more.
bool next_job(Job& job) {
  union {
    char bytes[CMSG_SPACE(2 * sizeof(int))];
    cmsghdr aligned;
  } control{};
  iovec part{&job.request, sizeof(job.request)};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  const ssize_t got = ::recvmsg(kSocket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
  if (got != static_cast<ssize_t>(sizeof(job.request))) return false;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_len != CMSG_LEN(2 * sizeof(int))) return false;
  int fds[2];
  std::memcpy(fds, CMSG_DATA(header), sizeof(fds));
  job.file.reset(fds[0]);
  job.result.reset(fds[1]);
  if (job.request.path_bytes > kMaxPathBytes) return false;
  job.path.resize(job.request.path_bytes);
  return receive(job.path.data(), job.path.size());
}

bool write_all(int fd, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

int parse(Job& job, const Sandbox& sandbox) {
  if (!sandbox.enter(job.request, job.file.get(), job.result.get())) return kExitSandbox;
  try {
    const auto tables = parse_tables(std::move(job.file), job.path, job.request.max_rows);
    return write_all(job.result.get(), encode(tables)) ? 0 : kExitResult;
  } catch (const std::bad_alloc&) {
    return kExitMemory;
  }
}

Answer run_job(Job& job, const Sandbox& sandbox) {
  Answer answer{kExitSandbox << 8};
  const pid_t child = ::fork();
  if (child == 0) ::_exit(parse(job, sandbox));
  while (child > 0 && ::waitpid(child, &answer.wait_status, 0) < 0 && errno == EINTR) {
  }
  return answer;
}

int serve() {
  // What ends the profiler ends this: its end of the socket is closed then.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE})
    ::signal(signal, SIG_IGN);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_DUMPABLE, 0);
  const auto sandbox = Sandbox::build();
  if (!sandbox) return 1;
  while (true) {
    Job job;
    if (!next_job(job)) return 0;
    const Answer answer = run_job(job, *sandbox);
    if (::send(kSocket, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer)) return 0;
  }
}

}  // namespace
}  // namespace pyprof::reader

int main() {
  return pyprof::reader::serve();
}
