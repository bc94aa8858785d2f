// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/userspace/python/interpreters.h"
#include "userspace/base/fd.h"

namespace pyprof::testing {

// An interpreter that runs code given by -c, with pipes to its standard input and output. Killed
// and reaped by the destructor.
class Target {
 public:
  Target(const Interpreter& interpreter, const std::string& code);
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  ~Target();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Without the line end; "" at the end of output.
  std::string read_line();
  std::string read_all();
  void write_line(const std::string& line);

  struct Mapping {
    uint64_t start = 0;  // of the file's first mapping
    std::string path;
  };
  // Files with an executable mapping, as /proc shows them.
  [[nodiscard]] std::vector<Mapping> files() const;

 private:
  pid_t pid_ = -1;
  Fd input_;
  Fd output_;
  std::string pending_;
};

}  // namespace pyprof::testing
