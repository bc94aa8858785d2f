// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/base/result.h"

namespace pyprof {

// Where a program that belongs to this one is: beside it (as built), else in
// ../libexec/pyebpf-prof (as installed). Never looked for in PATH. kNotSupported with `remedy` if
// it is nowhere.
[[nodiscard]] Result<std::string> find_helper(const std::string& name, const std::string& remedy);

}  // namespace pyprof
