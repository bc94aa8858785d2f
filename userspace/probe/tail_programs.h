// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <future>
#include <vector>

#include "userspace/base/result.h"

struct pyebpf;

// The programs that the sampler tail-calls. The kernel takes most of the start verifying them, one
// after the other if one object holds them all: so they are loaded by several threads, each with an
// object of its own that shares the maps.
namespace pyprof::probe {

// Before `skeleton` is loaded: it will be without them.
void leave_out_tail_programs(pyebpf& skeleton);

// Loads them beside `skeleton`, whose maps they use, and enters them in its tail-call table, which
// holds on to them; meanwhile the caller does other things. The skeleton, loaded, must outlive it.
class TailLoad {
 public:
  explicit TailLoad(const pyebpf& skeleton);
  // Until all are there. The error's text is the verifier's if it has refused one. One thread.
  [[nodiscard]] Result<void> wait();

 private:
  std::vector<std::future<int>> loads_;  // 0 or a negative errno; those that are not done yet
  int failed_ = 0;
};

// Of an errno that loading has given, with what libbpf said last.
[[nodiscard]] Error load_error(int error);

}  // namespace pyprof::probe
