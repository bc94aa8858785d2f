// SPDX-License-Identifier: Apache-2.0
// pyebpf-reader: parses executable files for pyebpf-prof, each in a process of its own that can do
// nothing else. Started by it with a socket as standard input; protocol.h says what is spoken. This
// process never looks into a file.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/reader/file_symbols.h"
#include "userspace/reader/file_tables.h"
#include "userspace/reader/protocol.h"
#include "userspace/reader/sandbox.h"

namespace pyprof::reader {
namespace {

constexpr int kSocket = STDIN_FILENO;

struct Job {
  Request request;
  std::string path;
  std::vector<Fd> fds;  // as protocol.h has them
};

bool receive(void* into, std::size_t bytes) {
  return bytes == 0 || ::recv(kSocket, into, bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes);
}

// False at the end of the socket: nobody asks any more.
bool next_job(Job& job) {
  union {
    char bytes[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
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
  const std::size_t count = job.request.descriptors;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || count < 2 || count > kMaxDescriptors ||
      header->cmsg_len != CMSG_LEN(count * sizeof(int))) {
    return false;
  }
  std::array<int, kMaxDescriptors> fds{};
  std::memcpy(fds.data(), CMSG_DATA(header), count * sizeof(int));
  for (std::size_t i = 0; i < count; ++i)
    job.fds.emplace_back(fds[i]);
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

std::vector<uint8_t> parse_wanted(Job& job) {
  if (job.request.wanted == Wanted::kSymbols) {
    return encode(parse_symbols(std::move(job.fds[1]), std::span(job.fds).subspan(2)));
  }
  return encode(parse_tables(std::move(job.fds[1]), job.path, job.request.max_rows));
}

int parse(Job& job, const Sandbox& sandbox) {
  if (!sandbox.enter(job.request, job.fds)) return kExitSandbox;
  try {
    return write_all(job.fds[0].get(), parse_wanted(job)) ? 0 : kExitResult;
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
