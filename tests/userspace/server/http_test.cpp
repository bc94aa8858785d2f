// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/server/http_server.h"

namespace pyprof::server {
namespace {

class HttpServerTest : public testing::Test {
 protected:
  void SetUp() override {
    HttpCallbacks callbacks;
    callbacks.metrics = [this] { return "# page " + std::to_string(++scrapes_) + "\n"; };
    callbacks.not_ready = [this]() -> std::optional<std::string> {
      if (ready_) return std::nullopt;
      return "no samples yet";
    };
    auto server = HttpServer::start({"127.0.0.1", 0}, std::move(callbacks));
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = *std::move(server);
  }

  [[nodiscard]] Fd connect() const {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->address().port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    const timeval limit{15, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return socket;
  }

  // Everything the server says to `request` until it closes the connection.
  [[nodiscard]] std::string talk(const std::string& request, bool half_close = false) const {
    const Fd socket = connect();
    std::string_view left = request;
    while (!left.empty()) {
      const ssize_t sent = ::send(socket.get(), left.data(), left.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(sent));
    }
    if (half_close) ::shutdown(socket.get(), SHUT_WR);
    std::string answer;
    std::array<char, 4096> chunk{};
    for (;;) {
      const ssize_t got = ::recv(socket.get(), chunk.data(), chunk.size(), 0);
      if (got <= 0) return answer;
      answer.append(chunk.data(), static_cast<std::size_t>(got));
    }
  }

  [[nodiscard]] std::string request(const std::string& method, const std::string& path) const {
    return talk(method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

  std::unique_ptr<HttpServer> server_;
  std::atomic<bool> ready_{true};
  std::atomic<int> scrapes_{0};
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(HttpServerTest, serves_the_three_pages) {
  const std::string metrics = request("GET", "/metrics");
  EXPECT_TRUE(metrics.starts_with("HTTP/1.1 200 ")) << metrics;
  EXPECT_TRUE(has(metrics, "Content-Type: text/plain; version=0.0.4")) << metrics;
  EXPECT_TRUE(metrics.ends_with("\r\n\r\n# page 1\n")) << metrics;
  EXPECT_TRUE(request("GET", "/healthz").ends_with("\r\n\r\nok\n"));
  EXPECT_TRUE(request("GET", "/readyz").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(request("GET", "/metrics?name[]=x").ends_with("# page 2\n"));
}

TEST_F(HttpServerTest, readyz_tells_why_not) {
  ready_ = false;
  const std::string answer = request("GET", "/readyz");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_TRUE(has(answer, "not ready: no samples yet")) << answer;
  EXPECT_TRUE(request("GET", "/healthz").starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, head_has_headers_only) {
  const std::string answer = request("HEAD", "/metrics");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_TRUE(has(answer, "Content-Length: 9")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(HttpServerTest, everything_else_is_not_found) {
  for (const char* path : {"/", "/metrics/", "//metrics", "/debug/pprof", "/snapshot",
                           "/../etc/passwd", "/%6detrics/x", "/METRICS"}) {
    EXPECT_TRUE(request("GET", path).starts_with("HTTP/1.1 404 ")) << path;
  }
}

TEST_F(HttpServerTest, other_methods_are_not_allowed) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"}) {
    const std::string answer = request(method, "/metrics");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 405 ")) << method << answer;
    EXPECT_TRUE(has(answer, "Allow: GET, HEAD")) << answer;
  }
  const std::string body =
      talk("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc");
  EXPECT_TRUE(body.starts_with("HTTP/1.1 405 ")) << body;
  EXPECT_EQ(scrapes_, 0);
}

TEST_F(HttpServerTest, headers_without_end_are_refused_and_do_not_harm) {
  const std::string huge =
      talk("GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + std::string(1 << 20, 'a'));
  EXPECT_FALSE(has(huge, " 200 ")) << huge;
  const std::string path = talk("GET /" + std::string(1 << 20, 'a') + " HTTP/1.1\r\n\r\n");
  EXPECT_FALSE(has(path, " 200 ")) << path;
  for (const char* garbage : {"\x16\x03\x01\x02", "GET\r\n\r\n", "GET /metrics\r\n\r\n",
                              "GET /metrics HTTP/9.9\r\n\r\n"}) {
    const std::string answer = talk(std::string(garbage) + std::string(100, '\n'), true);
    EXPECT_FALSE(has(answer, "HTTP/1.1 200")) << garbage << answer;
  }
  EXPECT_TRUE(request("GET", "/healthz").starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, silent_connections_neither_block_others_nor_stay) {
  std::vector<Fd> idle;
  for (int i = 0; i < 40; ++i)
    idle.push_back(connect());
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(request("GET", "/healthz").starts_with("HTTP/1.1 200 "));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  pollfd closed{idle.back().get(), POLLIN, 0};
  EXPECT_EQ(::poll(&closed, 1, 14'000), 1);
  char byte = 0;
  EXPECT_LE(::recv(idle.back().get(), &byte, 1, 0), 0);
}

TEST_F(HttpServerTest, curl_agrees) {
  const std::string url = "http://" + config::to_string(server_->address()) + "/metrics";
  FILE* pipe =
      ::popen(("curl -sS -o - -w ' %{http_code} %{content_type}' " + url + " 2>&1").c_str(), "r");
  std::array<char, 1024> output{};
  const std::size_t got = ::fread(output.data(), 1, output.size() - 1, pipe);
  if (::pclose(pipe) == 127 << 8) GTEST_SKIP() << "curl is not installed";
  EXPECT_EQ(std::string(output.data(), got),
            "# page 1\n 200 text/plain; version=0.0.4; charset=utf-8");
}

TEST_F(HttpServerTest, taken_port_is_an_error_that_says_what_to_do) {
  const auto second = HttpServer::start(server_->address(), {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().message,
            "listening on " + config::to_string(server_->address()) +
                ": Address already in use; stop the other program or set daemon.listen to another "
                "port");
}

TEST_F(HttpServerTest, port_is_free_again_after_the_server) {
  const config::ListenAddress address = server_->address();
  EXPECT_TRUE(request("GET", "/metrics").starts_with("HTTP/1.1 200 "));
  server_.reset();
  HttpCallbacks callbacks{[] { return std::string(); }, [] { return std::nullopt; }};
  EXPECT_TRUE(HttpServer::start(address, std::move(callbacks)).ok());
}

TEST(HttpServerStartTest, address_of_another_host_is_an_error) {
  const auto server = HttpServer::start({"192.0.2.1", 0}, {});
  ASSERT_FALSE(server.ok());
  EXPECT_NE(server.error().message.find("address of this host"), std::string::npos)
      << server.error().message;
}

}  // namespace
}  // namespace pyprof::server
