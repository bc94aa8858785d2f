// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

// The table of bpf/README.md.
namespace pyprof::bpftest {

struct Budget {
  uint64_t instructions = 0;  // in the object
  uint64_t verified = 0;      // by the verifier, on any kernel
};

// Program -> budget; the rows whose first cell is a name in backticks and whose next two are
// numbers.
std::map<std::string, Budget> read_budgets(const std::string& readme_path);

}  // namespace pyprof::bpftest
