// SPDX-License-Identifier: Apache-2.0
#include "userspace/server/http_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "userspace/base/fd.h"

namespace pyprof::server {
namespace {

constexpr unsigned kMaxConnections = 64;
constexpr unsigned kTimeoutSeconds = 10;
constexpr std::size_t kConnectionBytes = 16 * 1024;  // request line and headers must fit
constexpr int kBacklog = 128;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;

  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<SocketAddress> to_socket_address(const config::ListenAddress& address) {
  SocketAddress result;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  if (::inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    result.bytes = sizeof(sockaddr_in);
    return result;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (::inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) != 1) {
    return Error{"listening on " + config::to_string(address) + ": not a numeric address"};
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(address.port);
  result.bytes = sizeof(sockaddr_in6);
  return result;
}

Error listen_error(const config::ListenAddress& address, int error) {
  Error result = errno_error("listening on " + config::to_string(address), error);
  if (error == EADDRINUSE) {
    result.message += "; stop the other program or set daemon.listen to another port";
  }
  if (error == EADDRNOTAVAIL) result.message += "; set daemon.listen to an address of this host";
  return result;
}

Result<Fd> open_listener(const config::ListenAddress& address) {
  auto where = to_socket_address(address);
  if (!where) return where.error();
  Fd socket(::socket(where->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return listen_error(address, errno);
  // A restart must not wait for the connections of the last run to time out.
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(socket.get(), where->get(), where->bytes) != 0) return listen_error(address, errno);
  if (::listen(socket.get(), kBacklog) != 0) return listen_error(address, errno);
  return socket;
}

uint16_t bound_port(const Fd& socket, uint16_t fallback) {
  SocketAddress bound;
  bound.bytes = sizeof(bound.storage);
  if (::getsockname(socket.get(), bound.get(), &bound.bytes) != 0) return fallback;
  if (bound.storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&bound.storage)->sin_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in6*>(&bound.storage)->sin6_port);
}

struct Page {
  unsigned status = MHD_HTTP_OK;
  const char* content_type = "text/plain; charset=utf-8";
  std::string body;
};

Page page_of(std::string_view path, const HttpCallbacks& callbacks) {
  if (path == "/metrics") {
    return {MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", callbacks.metrics()};
  }
  if (path == "/healthz") return {.body = "ok\n"};
  if (path == "/readyz") {
    const auto reason = callbacks.not_ready();
    if (!reason) return {.body = "ready\n"};
    return {.status = MHD_HTTP_SERVICE_UNAVAILABLE, .body = "not ready: " + *reason + "\n"};
  }
  return {.status = MHD_HTTP_NOT_FOUND, .body = "not found; try /metrics, /healthz or /readyz\n"};
}

MHD_Result send_page(MHD_Connection* connection, Page page) {
  const std::unique_ptr<MHD_Response, decltype(&MHD_destroy_response)> response(
      MHD_create_response_from_buffer(page.body.size(), page.body.data(), MHD_RESPMEM_MUST_COPY),
      MHD_destroy_response);
  if (!response) return MHD_NO;
  MHD_add_response_header(response.get(), MHD_HTTP_HEADER_CONTENT_TYPE, page.content_type);
  MHD_add_response_header(response.get(), "X-Content-Type-Options", "nosniff");
  MHD_add_response_header(response.get(), MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  if (page.status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    MHD_add_response_header(response.get(), MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  return MHD_queue_response(connection, page.status, response.get());
}

// An answer at the first call, before any body is read: a request with a body loses its connection.
MHD_Result on_request(void* context, MHD_Connection* connection, const char* url,
                      const char* method, const char*, const char*, size_t*, void**) {
  const auto& callbacks = *static_cast<const HttpCallbacks*>(context);
  const std::string_view verb(method);
  if (verb != MHD_HTTP_METHOD_GET && verb != MHD_HTTP_METHOD_HEAD) {
    return send_page(connection,
                     {.status = MHD_HTTP_METHOD_NOT_ALLOWED, .body = "only GET and HEAD\n"});
  }
  return send_page(connection, page_of(url, callbacks));
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const config::ListenAddress& address,
                                                      HttpCallbacks callbacks) {
  auto socket = open_listener(address);
  if (!socket) return socket.error();
  config::ListenAddress real = address;
  real.port = bound_port(*socket, address.port);
  std::unique_ptr<HttpServer> server(new HttpServer(real, std::move(callbacks)));
  server->daemon_ = MHD_start_daemon(
      MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ITC, 0, nullptr, nullptr, &on_request,
      &server->callbacks_, MHD_OPTION_LISTEN_SOCKET, socket->get(), MHD_OPTION_CONNECTION_LIMIT,
      kMaxConnections, MHD_OPTION_CONNECTION_TIMEOUT, kTimeoutSeconds,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionBytes, MHD_OPTION_END);
  if (server->daemon_ == nullptr) {
    return Error{"listening on " + config::to_string(real) + ": the HTTP server could not start"};
  }
  static_cast<void>(socket->release());  // closed by MHD_stop_daemon()
  return server;
}

HttpServer::~HttpServer() {
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
}

}  // namespace pyprof::server
