// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

// One line per event on stderr. Messages often hold names that a profiled process chose, so every
// message is escaped and capped here, whoever writes it. Safe from any thread; not for the
// per-sample path, which counts instead.
namespace pyprof::log {

enum class Level : uint8_t { kDebug, kInfo, kWarning, kError };

// Sends messages of `level` and above to stderr. Called once by the program's entry; before that
// messages go through spdlog's own default.
void set_up(Level level);

// Changes the threshold while running (reload of the configuration).
void set_level(Level level);

[[nodiscard]] bool enabled(Level level);

// `message` in one line of printable text: control bytes, DEL, the C1 range and what is not UTF-8
// become \xHH; longer than 4,096 bytes is cut with "...".
[[nodiscard]] std::string sanitise(std::string_view message);

void write(Level level, std::string_view message);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::kDebug))
    write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

// Lets one event through per interval and counts the others. One object per kind of message.
class RateLimit {
 public:
  explicit RateLimit(uint64_t interval_ns) : interval_ns_(interval_ns) {}

  // True = show it now; `suppressed` is then how many were held back since the last one shown.
  bool allow(uint64_t now_ns, uint64_t& suppressed);

 private:
  const uint64_t interval_ns_;
  std::atomic<uint64_t> next_ns_{0};
  std::atomic<uint64_t> suppressed_{0};
};

// A warning at most once per `limit`'s interval, with the number of those not shown.
void limited_warning(RateLimit& limit, std::string_view message);

}  // namespace pyprof::log
