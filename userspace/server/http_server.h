// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "userspace/base/result.h"
#include "userspace/config/config.h"

struct MHD_Daemon;

// The pages that are open to everyone who can reach the port: GET and HEAD of /metrics, /healthz
// and /readyz, and nothing else; never a profile.
namespace pyprof::server {

// Called on the server's thread, one at a time.
struct HttpCallbacks {
  std::function<std::string()> metrics;
  // Why the daemon does no useful work at the moment; nothing = ready.
  std::function<std::optional<std::string>()> not_ready;
};

// Serves from start() until destroyed, on one thread of its own.
class HttpServer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(
      const config::ListenAddress& address, HttpCallbacks callbacks);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Where it really listens: the port is known even if 0 was asked for.
  [[nodiscard]] const config::ListenAddress& address() const { return address_; }

 private:
  HttpServer(config::ListenAddress address, HttpCallbacks callbacks)
      : address_(std::move(address)), callbacks_(std::move(callbacks)) {}

  config::ListenAddress address_;
  HttpCallbacks callbacks_;       // read by the server's thread only
  MHD_Daemon* daemon_ = nullptr;  // owned, stopped by the destructor
};

}  // namespace pyprof::server
