// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"
#include "userspace/server/control_protocol.h"

// The command line's end of the control socket.
namespace pyprof::server {

// One connection for one request. Destroying it cancels a request that still runs.
class ControlClient {
 public:
  // Nothing = no daemon listens at `path`. An Error = one may, but this user can't ask it, or
  // someone else has taken its place.
  [[nodiscard]] static Result<std::optional<ControlClient>> connect(const std::string& path);

  // Waits at most `timeout_ms` for the whole answer. `interrupted` is asked a few times a second;
  // once true the request is given up with an Error. An Error is about the connection; what the
  // daemon said, be it a failure, is the value.
  [[nodiscard]] Result<ControlResponse> call(const ControlRequest& request, uint64_t timeout_ms,
                                             std::function<bool()> interrupted = {});

 private:
  explicit ControlClient(Fd socket) : socket_(std::move(socket)) {}

  Fd socket_;
};

}  // namespace pyprof::server
