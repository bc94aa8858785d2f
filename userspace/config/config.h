// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "userspace/base/log.h"
#include "userspace/base/result.h"

// The configuration file as checked values. A Config that exists is valid: every number is in its
// range. Nothing is changed after parsing; a reload makes a new Config. The meaning of each key is
// written in config/pyebpf-prof.yaml, which holds exactly these defaults.
namespace pyprof::config {

inline constexpr const char* kDefaultPath = "/etc/pyebpf-prof/config.yaml";
inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

enum class Event : uint8_t { kAuto, kCpuClock, kCycles };

struct Sampling {
  uint32_t rate_hz = 19;
  Event event = Event::kAuto;
  bool operator==(const Sampling&) const = default;
};

struct ListenAddress {
  std::string host = "127.0.0.1";  // numeric, IPv6 without brackets
  uint16_t port = 9917;            // 0 = any free port
  bool operator==(const ListenAddress&) const = default;
};

struct Daemon {
  ListenAddress listen;
  bool allow_remote_without_auth = false;
  uint32_t window_seconds = 10;
  std::string control_socket = "/run/pyebpf-prof/control.sock";
  std::string state_dir = "/var/lib/pyebpf-prof";
  std::string kill_switch = "/etc/pyebpf-prof/disabled";
  bool operator==(const Daemon&) const = default;
};

// Sizes of the kernel's tables and of the caches.
struct Limits {
  uint64_t ring_bytes = 4 * kMiB;          // power of two
  uint64_t event_ring_bytes = 256 * kKiB;  // power of two
  uint32_t processes = 16'384;
  uint32_t threads = 16'384;
  uint32_t interpreters = 4'096;
  uint32_t mappings = 65'536;
  uint32_t stacks = 16'384;
  uint32_t codes = 32'768;
  uint32_t row_chunks = 8'192;
  uint32_t index_chunks = 512;
  uint64_t stack_cache_bytes = 16 * kMiB;
  uint64_t symbol_cache_bytes = 16 * kMiB;
  uint64_t table_cache_bytes = 64 * kMiB;  // on disk; 0 = no cache
  uint64_t resident_bytes = 256 * kMiB;
  bool operator==(const Limits&) const = default;
};

// Where names of native code come from beside the files that run.
struct Symbols {
  std::string debuginfod_urls;              // separated by spaces; empty = no server is asked
  uint64_t debuginfod_bytes = 1024 * kMiB;  // on disk
  bool operator==(const Symbols&) const = default;
};

struct Metrics {
  uint32_t containers = 500;
  uint32_t groups = 500;
  bool operator==(const Metrics&) const = default;
};

struct Logging {
  log::Level level = log::Level::kInfo;
  bool operator==(const Logging&) const = default;
};

struct Config {
  Sampling sampling;
  Daemon daemon;
  Limits limits;
  Symbols symbols;
  Metrics metrics;
  Logging log;
  bool operator==(const Config&) const = default;
};

// The first mistake in `text` as "NAME:LINE: key: what is wrong, what is expected".
[[nodiscard]] Result<Config> parse(std::string_view text, const std::string& name);

// `path` as the user gave it: the file must exist, be a regular file and at most 1 MiB. Without a
// path kDefaultPath is read, and its absence means the defaults.
[[nodiscard]] Result<Config> load_file(const std::optional<std::string>& path);

// "127.0.0.1:9917", "[::1]:9917", "localhost:9917". For command line flags, too.
[[nodiscard]] Result<ListenAddress> parse_listen(std::string_view text);

// Only 127.0.0.0/8 and ::1.
[[nodiscard]] bool is_loopback(const ListenAddress& address);

// The rule for `daemon.listen`: anything but loopback only if it was explicitly allowed.
[[nodiscard]] Result<void> check_listen(const ListenAddress& address, bool allow_remote);

// "127.0.0.1:9917", "[::1]:9917".
[[nodiscard]] std::string to_string(const ListenAddress& address);

}  // namespace pyprof::config
