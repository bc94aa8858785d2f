// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"
#include "userspace/server/control_protocol.h"

// The daemon's end of the control socket: root and the daemon's own user ask for snapshots here.
namespace pyprof::server {

// True once nobody waits for the answer: the client is gone or the server stops. A handler that
// takes long asks it a few times a second and returns early.
using Cancelled = std::function<bool()>;

// Runs on a thread of the connection, several at a time. Does not throw.
using ControlHandler = std::function<ControlResponse(const ControlRequest&, const Cancelled&)>;

// Serves from start() until destroyed; the destructor waits for running handlers.
class ControlServer {
 public:
  static constexpr std::size_t kMaxConnections = 8;

  // Makes the socket (mode 0600) and the last directory of its path. A socket file that nobody
  // listens on is replaced; anything else at `path` is an error.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> start(const std::string& path,
                                                                    ControlHandler handler);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  struct Connection {
    Fd socket;
    std::thread thread;
    std::atomic<bool> finished{false};
  };

  ControlServer(std::string path, ControlHandler handler, Fd listener, Fd wake);

  void accept_loop();
  void accept_one();
  void pause() const;
  void reap();
  void serve(Connection& connection);
  [[nodiscard]] ControlResponse answer(const Fd& socket);

  const std::string path_;
  const ControlHandler handler_;
  const Fd listener_;
  const Fd wake_;       // eventfd: written once, to stop
  uint64_t inode_ = 0;  // of the socket file, so that only our own is removed
  std::atomic<bool> stopping_{false};
  std::list<Connection> connections_;  // of the accepting thread
  std::thread thread_;
};

}  // namespace pyprof::server
