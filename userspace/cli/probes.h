// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/cli/options.h"

namespace pyprof::cli {

// A USDT probe in a file that a process has mapped.
struct UsdtProbe {
  struct Site {
    uint64_t address = 0;                // virtual address in the file
    std::vector<std::string> arguments;  // "s32 *(sp+112)"
  };
  std::string provider;
  std::string name;
  std::string file;
  // Virtual, in the file: the program skips the probe until someone counts this up. 0 = none.
  uint64_t semaphore_address = 0;
  uint64_t site_count = 0;  // sites may list fewer
  std::vector<Site> sites;
};

// Lines of JSON as pyebpf-usdt prints them. Fails at the first that it would not print; at most
// 10,000 probes.
[[nodiscard]] Result<std::vector<UsdtProbe>> parse_probes(std::string_view lines);

// Of a process, by running pyebpf-usdt. Nothing is attached.
[[nodiscard]] Result<std::vector<UsdtProbe>> read_probes(int32_t pid);

// An aligned table with a heading; for no probe one line that says so.
[[nodiscard]] std::string probe_table(const std::vector<UsdtProbe>& probes);

// `probes`: those of a process on stdout. Nothing is attached.
[[nodiscard]] Result<void> list_probes(const ProbesOptions& options);

}  // namespace pyprof::cli
