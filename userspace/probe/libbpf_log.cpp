// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/libbpf_log.h"

#include <bpf/libbpf.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <mutex>

namespace pyprof::probe {

namespace {

constexpr std::size_t kMaxBytes = 8192;
constexpr std::size_t kMaxShown = 600;

// libbpf's print hook takes no context, so this can't be a member of anything.
std::mutex log_mutex;
std::string log_text;

int keep(libbpf_print_level level, const char* format, va_list args) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 4096> line{};
  const int length = std::vsnprintf(line.data(), line.size(), format, args);
  const std::lock_guard lock(log_mutex);
  log_text += line.data();
  if (log_text.size() > kMaxBytes) log_text.erase(0, log_text.size() - kMaxBytes);
  return length;
}

}  // namespace

void capture_libbpf_log() {
  libbpf_set_print(keep);
}

std::string take_libbpf_log() {
  const std::lock_guard lock(log_mutex);
  std::string text;
  text.swap(log_text);
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text.size() > kMaxShown ? "..." + text.substr(text.size() - kMaxShown) : text;
}

}  // namespace pyprof::probe
