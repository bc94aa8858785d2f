// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

// What goes over the control socket. A request is one line of JSON. A response is one line of JSON
// {"ok":..., "error":..., "message":..., "exit_code":..., "bytes":N} and then N bytes of any
// content. One request per connection. Both ends are of one version: an unknown field is an error.
namespace pyprof::server {

inline constexpr std::size_t kMaxControlLineBytes = 64 * 1024;
inline constexpr uint64_t kMaxControlPayloadBytes = 1024 * 1024 * 1024;

struct ControlRequest {
  std::string verb;           // as daemon/control.h lists them
  std::vector<int32_t> pids;  // empty unless asked for
  bool all = false;           // every process
  uint64_t duration_ms = 0;
  uint32_t rate_hz = 0;  // 0 = the daemon's choice
  std::string format;    // as the command line spells it
  bool threads = false;
  bool native = false;
  bool python_only = false;
  bool gil = false;
  std::string by;  // "task", "gil", ...: see aggregate/labels.h; empty = no groups
  std::string title;
  bool operator==(const ControlRequest&) const = default;
};

struct ControlResponse {
  bool ok = true;
  std::string error;    // for a person; empty if ok
  std::string message;  // for stderr, such as the closing line of a snapshot
  ExitCode exit_code = ExitCode::kOk;
  std::string payload;
};

// The response to a request that failed.
[[nodiscard]] ControlResponse failed(const Error& error);

// One line, its line feed included.
[[nodiscard]] std::string encode(const ControlRequest& request);

// `line` without its line feed. Checks types, ranges and counts, not whether the verb makes sense
// of them.
[[nodiscard]] Result<ControlRequest> decode_request(std::string_view line);

struct ControlHeader {
  ControlResponse response;  // without its payload
  uint64_t payload_bytes = 0;
};

// The line before the payload, its line feed included.
[[nodiscard]] std::string encode_header(const ControlResponse& response);
[[nodiscard]] Result<ControlHeader> decode_header(std::string_view line);

}  // namespace pyprof::server
