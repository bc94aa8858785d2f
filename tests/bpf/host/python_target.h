// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/bpf/host/image.h"
#include "tests/userspace/python/target.h"

// Real interpreters, stopped at a known place by stack_target.py.
namespace pyprof::bpftest {

class PythonTarget {
 public:
  // `wanted`: "deep N", "through_c N" or "mix N".
  PythonTarget(const testing::Interpreter& interpreter, const std::string& wanted);

  [[nodiscard]] Image& image() { return *image_; }
  // What sys._getframe said, as reader.h's names.
  [[nodiscard]] const std::vector<std::string>& said() const { return said_; }
  // Why it can't be used, "" if it can.
  [[nodiscard]] std::string problem() const;

 private:
  testing::Target target_;
  std::vector<std::string> said_;
  std::unique_ptr<Image> image_;
};

// Runs `check` with the fake kernel filled for a target of each supported interpreter (one per
// minor version); says so and skips if there is none.
void for_each_interpreter(const std::string& wanted,
                          const std::function<void(PythonTarget&)>& check);

}  // namespace pyprof::bpftest
