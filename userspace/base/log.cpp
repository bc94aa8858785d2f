// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "userspace/base/clock.h"
#include "userspace/base/text.h"

namespace pyprof::log {
namespace {

constexpr std::size_t kMaxMessageBytes = 4096;

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      break;
  }
  return spdlog::level::err;
}

void append_escaped(std::string& out, unsigned char byte) {
  constexpr char kHex[] = "0123456789abcdef";
  out += "\\x";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

}  // namespace

void set_up(Level level) {
  auto logger = std::make_shared<spdlog::logger>("pyebpf-prof",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l: %v");
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  set_level(level);
}

void set_level(Level level) {
  spdlog::set_level(to_spdlog(level));
}

bool enabled(Level level) {
  return spdlog::should_log(to_spdlog(level));
}

std::string sanitise(std::string_view message) {
  std::string out;
  while (!message.empty()) {
    if (out.size() >= kMaxMessageBytes) return out + "...";
    const std::size_t length = utf8_length(message);
    if (length == 0 || is_control(message, length)) {
      const std::size_t bytes = length == 0 ? 1 : length;
      for (std::size_t i = 0; i < bytes; ++i) {
        append_escaped(out, static_cast<unsigned char>(message[i]));
      }
      message.remove_prefix(bytes);
    } else {
      out.append(message.substr(0, length));
      message.remove_prefix(length);
    }
  }
  return out;
}

void write(Level level, std::string_view message) {
  if (!enabled(level)) return;
  // As an argument, never as the format: the message may hold braces.
  spdlog::log(to_spdlog(level), "{}", sanitise(message));
}

bool RateLimit::allow(uint64_t now_ns, uint64_t& suppressed) {
  uint64_t next_ns = next_ns_.load(std::memory_order_relaxed);
  if (now_ns < next_ns || !next_ns_.compare_exchange_strong(next_ns, now_ns + interval_ns_)) {
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  suppressed = suppressed_.exchange(0);
  return true;
}

void limited_warning(RateLimit& limit, std::string_view message) {
  uint64_t suppressed = 0;
  if (!limit.allow(monotonic_ns(), suppressed)) return;
  if (suppressed == 0) {
    write(Level::kWarning, message);
  } else {
    warning("{} ({} more like this were not shown)", message, suppressed);
  }
}

}  // namespace pyprof::log
