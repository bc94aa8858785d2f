// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/un.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"

// Bounded, interruptible I/O on the control socket. Private to server/.
namespace pyprof::server {

// When waiting ends without success.
struct Deadline {
  uint64_t end_ns = 0;                // CLOCK_MONOTONIC
  std::function<bool()> interrupted;  // asked a few times a second; empty = never
};

[[nodiscard]] Deadline in_ms(uint64_t timeout_ms, std::function<bool()> interrupted = {});

[[nodiscard]] Result<sockaddr_un> to_unix_address(const std::string& path);

// Non-blocking and close-on-exec.
[[nodiscard]] Result<Fd> open_unix_socket();

// The user at the other end is root or the user of this process.
[[nodiscard]] bool peer_is_trusted(const Fd& socket);

// The other end has closed its connection or is gone.
[[nodiscard]] bool peer_hung_up(const Fd& socket);

[[nodiscard]] Result<void> send_all(const Fd& socket, std::string_view bytes,
                                    const Deadline& deadline);

// Adds to `buffer` what has arrived, up to `max_bytes` at once. False = the other end has closed.
[[nodiscard]] Result<bool> receive_some(const Fd& socket, std::string& buffer,
                                        std::size_t max_bytes, const Deadline& deadline);

// One line without its line feed; what came after it stays in `rest`.
[[nodiscard]] Result<std::string> receive_line(const Fd& socket, std::size_t max_bytes,
                                               std::string& rest, const Deadline& deadline);

}  // namespace pyprof::server
