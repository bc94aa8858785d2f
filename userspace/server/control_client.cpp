// SPDX-License-Identifier: Apache-2.0
#include "userspace/server/control_client.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "userspace/server/unix_socket.h"

namespace pyprof::server {
namespace {

constexpr std::size_t kChunkBytes = 256 * 1024;

bool closed_early(int error) {
  return error == EPIPE || error == ECONNRESET;
}

// `payload` holds what came with the header.
Result<void> receive_payload(const Fd& socket, uint64_t bytes, std::string& payload,
                             const Deadline& deadline) {
  if (payload.size() > bytes) return Error{"control socket: more bytes than announced"};
  while (payload.size() < bytes) {
    const std::size_t missing = bytes - payload.size();
    const auto more = receive_some(socket, payload, std::min(missing, kChunkBytes), deadline);
    if (!more) return more.error();
    if (!*more) return Error{"control socket: the daemon stopped in the middle of its answer"};
  }
  return {};
}

}  // namespace

Result<std::optional<ControlClient>> ControlClient::connect(const std::string& path) {
  const auto address = to_unix_address(path);
  if (!address) return address.error();
  auto socket = open_unix_socket();
  if (!socket) return socket.error();
  // On a Unix socket this does not wait, also where the other end does not answer.
  const auto* generic = reinterpret_cast<const sockaddr*>(&*address);
  if (::connect(socket->get(), generic, sizeof(*address)) != 0) {
    const int error = errno;
    if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR) {
      return std::optional<ControlClient>();
    }
    if (error == EAGAIN) {
      return Error{"control socket " + path + ": the daemon is busy; try again later"};
    }
    Error result = errno_error("connecting to the daemon at " + path, error);
    if (result.code == ExitCode::kPermission) result.message += "; run this as root";
    return result;
  }
  if (!peer_is_trusted(*socket)) {
    return Error{"control socket " + path +
                     ": its daemon runs as another user, neither root nor "
                     "you; remove it or set another path",
                 ExitCode::kPermission};
  }
  return std::optional<ControlClient>(ControlClient(*std::move(socket)));
}

Result<ControlResponse> ControlClient::call(const ControlRequest& request, uint64_t timeout_ms,
                                            std::function<bool()> interrupted) {
  const Deadline deadline = in_ms(timeout_ms, std::move(interrupted));
  // A daemon that refuses at once answers without reading, so its answer is read in any case.
  const auto sent = send_all(socket_, encode(request), deadline);
  if (!sent && !closed_early(sent.error().errno_value)) return sent.error();
  std::string rest;
  const auto line = receive_line(socket_, kMaxControlLineBytes, rest, deadline);
  if (!line) return line.error();
  auto header = decode_header(*line);
  if (!header) return header.error();
  const auto done = receive_payload(socket_, header->payload_bytes, rest, deadline);
  if (!done) return done.error();
  header->response.payload = std::move(rest);
  return std::move(header->response);
}

}  // namespace pyprof::server
