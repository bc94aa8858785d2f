// SPDX-License-Identifier: Apache-2.0
#include "userspace/server/control_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "userspace/server/unix_socket.h"

namespace pyprof::server {
namespace {

constexpr uint64_t kRequestTimeoutMs = 5'000;
constexpr uint64_t kResponseTimeoutMs = 60'000;
constexpr uint64_t kRefusalTimeoutMs = 100;
constexpr int kPauseMs = 200;
constexpr int kBacklog = 16;

Error occupied(const std::string& path, const std::string& why) {
  return Error{"control socket " + path + ": " + why};
}

// A file that a killed daemon left behind refuses connections.
Result<void> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return errno_error("control socket " + path, errno);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return occupied(path, "exists and is not a socket; remove it or set daemon.control_socket");
  }
  const auto probe = open_unix_socket();
  if (!probe) return probe.error();
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(probe->get(), generic, sizeof(address)) == 0 || errno == EAGAIN) {
    return occupied(path, "another daemon listens there; stop it or set daemon.control_socket");
  }
  if (errno != ECONNREFUSED) return errno_error("control socket " + path, errno);
  if (::unlink(path.c_str()) != 0) return errno_error("control socket " + path, errno);
  return {};
}

Result<void> make_directory_of(const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/'));
  if (path.find('/') == std::string::npos || directory.empty()) return {};
  if (::mkdir(directory.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return errno_error("control socket: making the directory " + directory, errno);
}

Result<Fd> open_listener(const std::string& path) {
  const auto address = to_unix_address(path);
  if (!address) return address.error();
  const auto directory = make_directory_of(path);
  if (!directory) return directory.error();
  const auto free = remove_stale(path, *address);
  if (!free) return free.error();
  auto socket = open_unix_socket();
  if (!socket) return socket.error();
  // The file gets the mode that the socket has at bind(): there is no moment at which others could
  // connect.
  if (::fchmod(socket->get(), 0600) != 0) return errno_error("control socket " + path, errno);
  const auto* generic = reinterpret_cast<const sockaddr*>(&*address);
  if (::bind(socket->get(), generic, sizeof(*address)) != 0 ||
      ::listen(socket->get(), kBacklog) != 0) {
    return errno_error("control socket " + path, errno);
  }
  return socket;
}

uint64_t inode_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

void send_response(const Fd& socket, const ControlResponse& response, const Deadline& deadline) {
  const auto header = send_all(socket, encode_header(response), deadline);
  if (header) static_cast<void>(send_all(socket, response.payload, deadline).ok());
}

void refuse(const Fd& socket, const Error& error) {
  send_response(socket, failed(error), in_ms(kRefusalTimeoutMs));
}

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::string& path,
                                                            ControlHandler handler) {
  auto listener = open_listener(path);
  if (!listener) return listener.error();
  Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return errno_error("control socket: eventfd", errno);
  std::unique_ptr<ControlServer> server(
      new ControlServer(path, std::move(handler), *std::move(listener), std::move(wake)));
  server->thread_ = std::thread([raw = server.get()] { raw->accept_loop(); });
  return server;
}

ControlServer::ControlServer(std::string path, ControlHandler handler, Fd listener, Fd wake)
    : path_(std::move(path)),
      handler_(std::move(handler)),
      listener_(std::move(listener)),
      wake_(std::move(wake)),
      inode_(inode_of(path_)) {}

ControlServer::~ControlServer() {
  stopping_ = true;
  static_cast<void>(::eventfd_write(wake_.get(), 1));
  if (thread_.joinable()) thread_.join();
  for (Connection& connection : connections_)
    connection.thread.join();
  if (inode_ != 0 && inode_of(path_) == inode_) ::unlink(path_.c_str());
}

void ControlServer::accept_loop() {
  while (!stopping_) {
    pollfd fds[] = {{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0 && errno != EINTR) return;
    reap();
    if ((fds[0].revents & POLLIN) != 0) accept_one();
  }
}

void ControlServer::accept_one() {
  Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) {
    if (errno == EMFILE || errno == ENFILE) pause();
    return;
  }
  if (!peer_is_trusted(socket)) {
    return refuse(socket, Error{"control socket: only root may ask", ExitCode::kPermission});
  }
  const Error busy{"control socket: the daemon answers too many requests; try again later"};
  if (connections_.size() >= kMaxConnections) return refuse(socket, busy);
  Connection& connection = connections_.emplace_back();
  connection.socket = std::move(socket);
  try {
    connection.thread = std::thread([this, &connection] { serve(connection); });
  } catch (const std::system_error&) {  // no more threads for this user or service
    refuse(connection.socket, busy);
    connections_.pop_back();
  }
}

// The connection that could not be accepted stays pending: without a pause the loop would spin.
void ControlServer::pause() const {
  pollfd stop{wake_.get(), POLLIN, 0};
  ::poll(&stop, 1, kPauseMs);
}

void ControlServer::reap() {
  connections_.remove_if([](Connection& connection) {
    if (!connection.finished) return false;
    connection.thread.join();
    return true;
  });
}

void ControlServer::serve(Connection& connection) {
  const ControlResponse response = answer(connection.socket);
  const auto stopping = [this] { return stopping_.load(); };
  send_response(connection.socket, response, in_ms(kResponseTimeoutMs, stopping));
  ::shutdown(connection.socket.get(), SHUT_RDWR);
  connection.finished = true;
}

ControlResponse ControlServer::answer(const Fd& socket) {
  std::string rest;
  const auto stopping = [this] { return stopping_.load(); };
  const auto line =
      receive_line(socket, kMaxControlLineBytes, rest, in_ms(kRequestTimeoutMs, stopping));
  if (!line) return failed(line.error());
  const auto request = decode_request(*line);
  if (!request) return failed(request.error());
  ControlResponse response =
      handler_(*request, [this, &socket] { return stopping_ || peer_hung_up(socket); });
  if (response.payload.size() > kMaxControlPayloadBytes) {
    return failed(Error{"control socket: the result is larger than 1 GiB; ask for less"});
  }
  return response;
}

}  // namespace pyprof::server
