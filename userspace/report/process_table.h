// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pyprof::report {

// One line of `pyebpf-prof ps`. Text may be raw: it is cleaned here.
struct ProcessRow {
  int32_t pid = 0;
  int32_t namespace_pid = 0;  // 0 = unknown
  std::string version;        // "3.12.1", empty = not known
  std::string container;      // id, shown with 12 digits; empty = none
  uint32_t threads = 0;
  double cpu_percent = 0;  // 100 = one CPU
  std::string status;      // aggregate::status_text()
  std::string command;     // cut after 200 bytes
};

// An aligned table with a heading, in the order given; for no rows one line that says so.
[[nodiscard]] std::string process_table(const std::vector<ProcessRow>& rows);

}  // namespace pyprof::report
