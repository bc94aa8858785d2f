// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"

namespace pyprof::cli {

// A program that is profiled from its first instruction: the process is there, with the rights of
// the user who called sudo, and starts the program only when release() says so.
class Command {
 public:
  // `argv` is not empty and is looked for in PATH.
  [[nodiscard]] static Result<Command> prepare(const std::vector<std::string>& argv);

  // A command that was never released ends without having run; one that was is left to itself.
  ~Command();
  Command(Command&& other) noexcept;
  Command& operator=(Command&&) = delete;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

  // Starts the program; once. The error is that of exec.
  [[nodiscard]] Result<void> release();

  // Does not wait. From then on its pid is free for others.
  [[nodiscard]] bool has_ended();

 private:
  Command(pid_t pid, std::string name, Fd go, Fd outcome);

  pid_t pid_ = 0;  // 0 = moved from
  std::string name_;
  Fd go_;       // a byte in it releases, closing it ends the child
  Fd outcome_;  // the errno of exec, or closed by it
  bool ended_ = false;
};

}  // namespace pyprof::cli
