// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/report/text_report.h"

namespace pyprof::report {

// The rows of text_report() for programs: objects under keys that stay as they are, shares in
// percent, times in seconds. Ids are those of the text. The same profile gives the same bytes.
[[nodiscard]] std::string json_report(const model::Profile& profile,
                                      const TextReportOptions& options);

// One list of json_report() as a table after RFC 4180: a line of its keys, a line for each row.
// kUsage if it is none of table_names(); "groups" is empty unless the report has any.
[[nodiscard]] Result<std::string> csv_report(const model::Profile& profile,
                                             const TextReportOptions& options,
                                             const std::string& table);

[[nodiscard]] const std::vector<std::string>& table_names();

}  // namespace pyprof::report
