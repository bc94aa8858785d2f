// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/process_table.h"

#include <fmt/format.h>

#include "userspace/aggregate/clean_text.h"
#include "userspace/report/table.h"

namespace pyprof::report {
namespace {

using aggregate::clean_text;

std::string or_dash(std::string text) {
  return text.empty() ? "-" : text;
}

}  // namespace

std::string process_table(const std::vector<ProcessRow>& rows) {
  if (rows.empty()) return "no Python process found\n";
  Table table({{"PID", true},
               {"NSPID", true},
               {"VERSION"},
               {"CONTAINER"},
               {"THREADS", true},
               {"CPU%", true},
               {"STATUS"},
               {"COMMAND"}});
  for (const ProcessRow& row : rows) {
    table.add({std::to_string(row.pid),
               row.namespace_pid > 0 ? std::to_string(row.namespace_pid) : "-",
               or_dash(clean_text(row.version, 32)),
               or_dash(clean_text(std::string_view(row.container).substr(0, 12))),
               std::to_string(row.threads), fmt::format("{:.1f}", row.cpu_percent),
               or_dash(clean_text(row.status, 160)), or_dash(clean_text(row.command, 200))});
  }
  return table.text();
}

}  // namespace pyprof::report
