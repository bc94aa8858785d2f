// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/host/stopped_child.h"

#include <alloca.h>
#include <execinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "userspace/base/fd.h"

namespace pyprof::bpftest {
namespace {

constexpr int kMaxTrace = 8192;

int trace_pipe = -1;
void* trace[kMaxTrace];

// Writes the return addresses, then stops: only the innermost frames differ from what we see.
[[gnu::noinline]] void tell_and_stop() {
  const int count = backtrace(trace, kMaxTrace);
  if (write(trace_pipe, &count, sizeof(count)) < 0) _exit(1);
  const auto* bytes = reinterpret_cast<const char*>(trace);
  for (std::size_t left = static_cast<std::size_t>(count) * sizeof(void*); left > 0;) {
    const ssize_t n = write(trace_pipe, bytes, left);
    if (n <= 0) _exit(1);
    bytes += n;
    left -= static_cast<std::size_t>(n);
  }
  raise(SIGSTOP);
  asm volatile("");
}

}  // namespace

[[gnu::noinline]] void recurse(int depth, std::size_t extra) {
  auto* room = static_cast<volatile char*>(alloca(16 + extra));
  room[0] = 1;
  if (depth == 0)
    tell_and_stop();
  else
    recurse(depth - 1, extra == 0 ? 0 : (extra * 7 + 24) % 3000);
  asm volatile("" : : "r"(room) : "memory");
}

namespace {

int compare_and_stop(const void* a, const void*) {
  static bool stopped = false;
  if (!std::exchange(stopped, true)) recurse(*static_cast<const int*>(a), 40);
  return 0;
}

}  // namespace

void sort_and_stop() {
  int values[] = {3, 4};
  std::qsort(values, 2, sizeof(int), compare_and_stop);
}

void signal_and_stop() {
  std::signal(SIGUSR1, [](int) { recurse(5, 100); });
  raise(SIGUSR1);
  asm volatile("");
}

Child::Child(const std::function<void()>& body) {
  int ends[2];
  if (pipe(ends) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    trace_pipe = ends[1];
    body();
    _exit(0);
  }
  close(ends[1]);
  const Fd reading(ends[0]);
  read_trace(reading.get());
  drop_wrappers();
}

Child::~Child() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Child::read_trace(int fd) {
  int count = 0;
  if (::read(fd, &count, sizeof(count)) != sizeof(count)) return;
  said_.resize(static_cast<std::size_t>(count));
  auto* at = reinterpret_cast<char*>(said_.data());
  for (std::size_t left = said_.size() * sizeof(uint64_t); left > 0;) {
    const ssize_t n = ::read(fd, at, left);
    if (n <= 0) return;
    at += n;
    left -= static_cast<std::size_t>(n);
  }
}

// A sanitizer's backtrace() is a frame of its own.
void Child::drop_wrappers() {
  const auto start = reinterpret_cast<uint64_t>(&tell_and_stop);
  const auto first = std::find_if(said_.begin(), said_.end(),
                                  [start](uint64_t pc) { return pc - start < kSameFunctionBytes; });
  said_.erase(said_.begin(), first);
}

}  // namespace pyprof::bpftest
