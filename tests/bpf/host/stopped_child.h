// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

// A child that stops somewhere deep and has said, by glibc's backtrace, where.
namespace pyprof::bpftest {

// A function that holds an address is no longer than this.
inline constexpr uint64_t kSameFunctionBytes = 2048;

// What a child may do: `depth` calls, each with more room on the stack than `extra`, at random.
void recurse(int depth, std::size_t extra);
void sort_and_stop();    // calls back out of libc's qsort
void signal_and_stop();  // in a signal handler

class Child {
 public:
  explicit Child(const std::function<void()>& body);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Return addresses, innermost first; [0] is in the function that stops.
  [[nodiscard]] const std::vector<uint64_t>& said() const { return said_; }

 private:
  void read_trace(int fd);
  void drop_wrappers();

  pid_t pid_ = -1;
  std::vector<uint64_t> said_;
};

}  // namespace pyprof::bpftest
