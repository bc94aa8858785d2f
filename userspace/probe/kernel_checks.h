// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/probe/kernel_features.h"

// What `doctor` says of a kernel: one line per thing that profiling depends on. Judges facts that
// were read before; touches nothing and prints nothing.
namespace pyprof::probe {

struct Check {
  enum class State : uint8_t { kOk, kWarn, kFail };
  std::string name;  // lower case, fixed: "kernel", "btf", ...
  State state = State::kOk;
  std::string detail;  // what was found
  std::string advice;  // what to do about it; empty if kOk
};

// Always the same names in the same order. kFail: profiling does not start; kWarn: it starts, and
// the advice says what is missing from the results.
[[nodiscard]] std::vector<Check> check_kernel(const KernelFeatures& features);

}  // namespace pyprof::probe
