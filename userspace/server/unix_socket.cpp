// SPDX-License-Identifier: Apache-2.0
#include "userspace/server/unix_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "userspace/base/clock.h"

namespace pyprof::server {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr uint64_t kSliceMs = 100;  // how long an interruption may go unnoticed

// Waits until `events` are possible.
Result<void> wait_for(const Fd& socket, short events, const Deadline& deadline) {
  for (;;) {
    if (deadline.interrupted && deadline.interrupted()) return Error{"control socket: interrupted"};
    const uint64_t now_ns = monotonic_ns();
    if (now_ns >= deadline.end_ns) return Error{"control socket: no answer in time"};
    const uint64_t left_ms = (deadline.end_ns - now_ns) / kNsPerMs + 1;
    pollfd poll_fd{socket.get(), events, 0};
    const int ready = ::poll(&poll_fd, 1, static_cast<int>(std::min(left_ms, kSliceMs)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return errno_error("control socket: waiting", errno);
  }
}

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

Deadline in_ms(uint64_t timeout_ms, std::function<bool()> interrupted) {
  return {monotonic_ns() + timeout_ms * kNsPerMs, std::move(interrupted)};
}

Result<sockaddr_un> to_unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return Error{"control socket " + path + ": the path must have 1 to " +
                 std::to_string(sizeof(address.sun_path) - 1) + " bytes"};
  }
  path.copy(address.sun_path, path.size());
  return address;
}

Result<Fd> open_unix_socket() {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return errno_error("control socket: creating it", errno);
  return socket;
}

bool peer_is_trusted(const Fd& socket) {
  ucred peer{};
  socklen_t bytes = sizeof(peer);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

bool peer_hung_up(const Fd& socket) {
  pollfd poll_fd{socket.get(), POLLRDHUP, 0};
  return ::poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

Result<void> send_all(const Fd& socket, std::string_view bytes, const Deadline& deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (!would_block(errno)) return errno_error("control socket: sending", errno);
    const auto ready = wait_for(socket, POLLOUT, deadline);
    if (!ready) return ready;
  }
  return {};
}

Result<bool> receive_some(const Fd& socket, std::string& buffer, std::size_t max_bytes,
                          const Deadline& deadline) {
  const std::size_t used = buffer.size();
  for (;;) {
    buffer.resize(used + max_bytes);
    const ssize_t got = ::recv(socket.get(), buffer.data() + used, max_bytes, 0);
    const int error = errno;
    buffer.resize(used + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got >= 0) return got > 0;
    if (!would_block(error)) return errno_error("control socket: receiving", error);
    const auto ready = wait_for(socket, POLLIN, deadline);
    if (!ready) return ready.error();
  }
}

Result<std::string> receive_line(const Fd& socket, std::size_t max_bytes, std::string& rest,
                                 const Deadline& deadline) {
  constexpr std::size_t kChunkBytes = 4096;
  std::string line = std::exchange(rest, {});
  for (;;) {
    const std::size_t end = line.find('\n');
    if (end != std::string::npos && end <= max_bytes) {
      rest = line.substr(end + 1);
      line.resize(end);
      return line;
    }
    if (line.size() > max_bytes) {
      return Error{"control socket: line over " + std::to_string(max_bytes) + " bytes"};
    }
    const auto more = receive_some(socket, line, kChunkBytes, deadline);
    if (!more) return more.error();
    if (!*more) return Error{"control socket: closed in the middle of a line"};
  }
}

}  // namespace pyprof::server
