// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "userspace/base/result.h"

// The CPythons to measure with and how to run a script in them.
namespace pyprof::bench {

struct Paths {
  std::string source;  // the project
  std::string build;   // its build folder
};

struct Interpreter {
  std::string name;
  std::string version;  // "3.12.1"
  std::vector<std::string> argv;
};

// One of each supported series. PYEBPF_BENCH_INTERPRETERS limits the choice to names that contain
// one of its words, separated by spaces or commas ("3.12 3.13.18-static").
Result<std::vector<Interpreter>> choose_interpreters(const Paths& paths);

// The script goes along as an argument: it need not be inside the interpreter's root.
Result<std::vector<std::string>> python_command(const Interpreter& interpreter,
                                                const std::string& script,
                                                const std::vector<std::string>& arguments);

}  // namespace pyprof::bench
