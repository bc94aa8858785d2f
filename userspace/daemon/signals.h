// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <optional>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"

// Signals as something to wait for. No handler ever runs, so no code has to be safe in one.
namespace pyprof::daemon {

class Signals {
 public:
  // Blocks the signals in the calling thread and in those it starts from now on: call it before the
  // first thread is made.
  [[nodiscard]] static Result<Signals> open(std::initializer_list<int> signals);

  // The next signal; waits at most `timeout_ms`, 0 = not at all.
  [[nodiscard]] std::optional<int> next(int timeout_ms) const;

  // Readable while there is one, for who waits for more than signals.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit Signals(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
};

}  // namespace pyprof::daemon
