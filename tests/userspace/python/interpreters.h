// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

// Real Python interpreters for tests: those of PATH, of pyenv (PYENV_ROOT or ~/.pyenv), and those
// below PYEBPF_INTERPRETERS_DIR, where `bin/python3*` belongs to an installation and
// `usr/bin/python3*` to a root file system to chroot into.
namespace pyprof::testing {

struct Interpreter {
  std::string root;  // to chroot into, "" = none
  std::string path;  // of the executable, inside the root
};

// Each file once, only those that run here. Prints where it looked if there are none.
std::vector<Interpreter> find_interpreters();

// "3.12.1", with a trailing "t" if free-threaded; "" if it doesn't run.
std::string ask_version(const Interpreter& interpreter);

// Major << 8 | minor of "3.12.1".
int minor_version(const std::string& version);

std::string read_file(const std::string& path);

}  // namespace pyprof::testing
