// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "userspace/server/control_client.h"
#include "userspace/server/control_server.h"

namespace pyprof::server {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kTimeoutMs = 10'000;

template <typename Condition>
bool within_seconds(int seconds, Condition condition) {
  for (int i = 0; i < seconds * 100; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

class ControlTest : public testing::Test {
 protected:
  ControlTest() {
    // Not TempDir(): the path of a socket may only have 107 bytes.
    std::string pattern = "/tmp/control_test_XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    path_ = directory_ + "/run/control.sock";
  }
  ~ControlTest() override { std::filesystem::remove_all(directory_); }

  void start(ControlHandler handler) {
    auto server = ControlServer::start(path_, std::move(handler));
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = *std::move(server);
  }

  [[nodiscard]] Result<ControlResponse> call(const ControlRequest& request) const {
    auto client = ControlClient::connect(path_);
    if (!client) return client.error();
    if (!client->has_value()) return Error{"no daemon"};
    return (*client)->call(request, kTimeoutMs);
  }

  [[nodiscard]] Fd connect_raw() const {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, path_.size());
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    return socket;
  }

  // The server's whole answer to raw bytes.
  [[nodiscard]] std::string talk(std::string_view bytes) const {
    const Fd socket = connect_raw();
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string answer(4096, '\0');
    const ssize_t got = ::recv(socket.get(), answer.data(), answer.size(), MSG_WAITALL);
    answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return answer;
  }

  std::string directory_;
  std::string path_;
  std::unique_ptr<ControlServer> server_;
};

ControlRequest ping() {
  ControlRequest request;
  request.verb = "ping";
  return request;
}

ControlResponse with_payload(std::string payload) {
  ControlResponse response;
  response.payload = std::move(payload);
  return response;
}

TEST_F(ControlTest, request_and_answer_arrive_unchanged) {
  ControlRequest received;
  std::string bytes;
  for (int i = 0; i < 3'000'000; ++i)
    bytes += static_cast<char>(i * 7 + i / 256);
  start([&](const ControlRequest& request, const Cancelled&) {
    received = request;
    ControlResponse response = with_payload(bytes);
    response.message = "12 samples, 0 lost";
    return response;
  });
  ControlRequest request{.verb = "snapshot",
                         .pids = {1, 42, 2147483647},
                         .all = true,
                         .duration_ms = 86'400'000,
                         .rate_hz = 999,
                         .format = "pprof",
                         .threads = true,
                         .native = true,
                         .python_only = true,
                         .gil = true,
                         .by = "task",
                         .title = "a \"quoted\"\ntitle \xc3\xa9"};
  const auto response = call(request);
  ASSERT_TRUE(response.ok()) << response.error().message;
  EXPECT_EQ(received, request);
  EXPECT_TRUE(response->ok);
  EXPECT_EQ(response->message, "12 samples, 0 lost");
  EXPECT_EQ(response->exit_code, ExitCode::kOk);
  EXPECT_EQ(response->payload, bytes);
}

TEST_F(ControlTest, failure_of_the_handler_arrives_with_its_exit_code) {
  start([](const ControlRequest&, const Cancelled&) {
    return failed(Error{"no process 42 \xff\n", ExitCode::kNoProcess});
  });
  const auto response = call(ping());
  ASSERT_TRUE(response.ok()) << response.error().message;
  EXPECT_FALSE(response->ok);
  EXPECT_EQ(response->error, "no process 42 \xef\xbf\xbd\n");
  EXPECT_EQ(response->exit_code, ExitCode::kNoProcess);
}

TEST_F(ControlTest, without_a_daemon_there_is_no_client) {
  auto missing = ControlClient::connect(path_);
  ASSERT_TRUE(missing.ok());
  EXPECT_FALSE(missing->has_value());
  start([](const ControlRequest&, const Cancelled&) { return ControlResponse(); });
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ControlTest, socket_is_for_its_owner_only_whatever_the_umask) {
  const mode_t old = ::umask(0);
  start([](const ControlRequest&, const Cancelled&) { return ControlResponse(); });
  ::umask(old);
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(ControlTest, stale_socket_is_replaced_a_living_one_is_not) {
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path());
  {
    const Fd killed(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, path_.size());
    ASSERT_EQ(::bind(killed.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  auto client = ControlClient::connect(path_);
  ASSERT_TRUE(client.ok());
  EXPECT_FALSE(client->has_value());
  start([](const ControlRequest&, const Cancelled&) { return with_payload("first"); });
  const auto second = ControlServer::start(path_, {});
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find("another daemon listens there"), std::string::npos)
      << second.error().message;
  const auto response = call(ping());
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->payload, "first");
}

TEST_F(ControlTest, what_is_not_a_socket_is_left_alone) {
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path());
  std::ofstream(path_) << "precious";
  const auto server = ControlServer::start(path_, {});
  ASSERT_FALSE(server.ok());
  EXPECT_NE(server.error().message.find("not a socket"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
  EXPECT_FALSE(ControlServer::start("/tmp/" + std::string(200, 'x'), {}).ok());
}

TEST_F(ControlTest, handler_learns_that_the_client_hung_up) {
  std::atomic<bool> running{false};
  std::atomic<bool> cancelled{false};
  start([&](const ControlRequest&, const Cancelled& is_cancelled) {
    running = true;
    cancelled = within_seconds(20, is_cancelled);
    return ControlResponse();
  });
  {
    const Fd socket = connect_raw();
    const std::string line = encode(ping());
    ASSERT_EQ(::send(socket.get(), line.data(), line.size(), 0), static_cast<ssize_t>(line.size()));
    ASSERT_TRUE(within_seconds(5, [&] { return running.load(); }));
    std::this_thread::sleep_for(50ms);
    EXPECT_FALSE(cancelled);
  }
  EXPECT_TRUE(within_seconds(2, [&] { return cancelled.load(); }));
}

TEST_F(ControlTest, client_gives_up_when_interrupted_or_late) {
  start([](const ControlRequest&, const Cancelled& is_cancelled) {
    within_seconds(20, is_cancelled);
    return ControlResponse();
  });
  auto first = ControlClient::connect(path_);
  ASSERT_TRUE(first.ok() && first->has_value());
  int asked = 0;
  const auto interrupted = (*first)->call(ping(), kTimeoutMs, [&] { return ++asked > 2; });
  ASSERT_FALSE(interrupted.ok());
  EXPECT_EQ(interrupted.error().message, "control socket: interrupted");
  auto second = ControlClient::connect(path_);
  ASSERT_TRUE(second.ok() && second->has_value());
  const auto late = (*second)->call(ping(), 50);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().message, "control socket: no answer in time");
}

TEST_F(ControlTest, stopping_the_server_cancels_what_runs) {
  std::atomic<bool> running{false};
  start([&](const ControlRequest&, const Cancelled& is_cancelled) {
    running = true;
    within_seconds(20, is_cancelled);
    return ControlResponse();
  });
  const Fd asking = connect_raw();
  const std::string line = encode(ping());
  ASSERT_GT(::send(asking.get(), line.data(), line.size(), 0), 0);
  const Fd silent = connect_raw();
  ASSERT_TRUE(within_seconds(5, [&] { return running.load(); }));
  const auto start_time = std::chrono::steady_clock::now();
  server_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start_time, 2s);
}

TEST_F(ControlTest, more_clients_than_places_are_told_so) {
  std::atomic<int> running{0};
  std::atomic<bool> release{false};
  start([&](const ControlRequest&, const Cancelled&) {
    ++running;
    within_seconds(20, [&] { return release.load(); });
    return with_payload("served");
  });
  std::vector<std::thread> clients;
  std::atomic<int> served{0};
  for (std::size_t i = 0; i < ControlServer::kMaxConnections; ++i) {
    clients.emplace_back([&] {
      const auto response = call(ping());
      if (response.ok() && response->payload == "served") ++served;
    });
  }
  ASSERT_TRUE(within_seconds(
      5, [&] { return running == static_cast<int>(ControlServer::kMaxConnections); }));
  const auto refused = call(ping());
  ASSERT_TRUE(refused.ok()) << refused.error().message;
  EXPECT_FALSE(refused->ok);
  EXPECT_NE(refused->error.find("too many requests"), std::string::npos);
  release = true;
  for (auto& client : clients)
    client.join();
  EXPECT_EQ(served, static_cast<int>(ControlServer::kMaxConnections));
  EXPECT_TRUE(within_seconds(5, [&] {
    const auto again = call(ping());
    return again.ok() && again->payload == "served";
  }));
}

TEST_F(ControlTest, bad_requests_get_an_error_and_never_reach_the_handler) {
  std::atomic<int> calls{0};
  start([&](const ControlRequest&, const Cancelled&) {
    ++calls;
    return ControlResponse();
  });
  const std::pair<std::string, std::string> cases[] = {
      {"hello\n", "expected one line with a JSON object"},
      {"[1]\n", "expected one line with a JSON object"},
      {"{}\n", "verb: missing"},
      {"{\"verb\":7}\n", "verb: expected a short string"},
      {"{\"verb\":\"ping\",\"surprise\":1}\n", "a field that this version does not know"},
      {"{\"verb\":\"ping\",\"pids\":[0]}\n", "pids: expected a list"},
      {"{\"verb\":\"ping\",\"pids\":[-1]}\n", "pids: expected a list"},
      {"{\"verb\":\"ping\",\"pids\":[2147483648]}\n", "pids: expected a list"},
      {"{\"verb\":\"ping\",\"pids\":[1.5]}\n", "pids: expected a list"},
      {"{\"verb\":\"ping\",\"rate_hz\":10001}\n", "rate_hz: expected a number"},
      {"{\"verb\":\"ping\",\"duration_ms\":1e99}\n", "duration_ms: expected a number"},
      {"{\"verb\":\"ping\",\"all\":1}\n", "all: expected true or false"},
      {"{\"verb\":\"\xff\"}\n", "expected one line with a JSON object"},
      {std::string(60'000, '[') + "\n", "expected one line with a JSON object"},
      {std::string(1 << 20, 'x'), "line over 65536 bytes"},
      {"{\"verb\":\"ping\",\"title\":\"" + std::string(2000, 'x') + "\"}\n", "title: expected"},
  };
  for (const auto& [request, expected] : cases) {
    const std::string answer = talk(request);
    EXPECT_NE(answer.find("\"ok\":false"), std::string::npos) << request.substr(0, 60) << answer;
    EXPECT_NE(answer.find(expected), std::string::npos) << request.substr(0, 60) << answer;
  }
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(call(ping()).ok());
  EXPECT_EQ(calls, 1);
}

TEST_F(ControlTest, client_survives_a_daemon_that_answers_nonsense) {
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path());
  const std::string answers[] = {
      "",
      "what?\n",
      "{\"ok\":true,\"bytes\":5}\nabc",
      "{\"ok\":true,\"bytes\":1}\nabc",
      "{\"ok\":true,\"bytes\":99999999999999}\n",
      "{\"ok\":true,\"exit_code\":77}\n",
      std::string(100'000, 'x'),
  };
  for (const std::string& answer : answers) {
    const Fd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, path_.size());
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    std::thread nonsense([&] {
      const Fd peer(::accept(listener.get(), nullptr, nullptr));
      static_cast<void>(::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL));
    });
    const auto response = call(ping());
    nonsense.join();
    EXPECT_FALSE(response.ok()) << answer.substr(0, 60);
    std::filesystem::remove(path_);
  }
}

}  // namespace
}  // namespace pyprof::server
