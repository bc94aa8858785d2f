// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "userspace/report/text_report.h"

namespace pyprof::report {

// A text report as Markdown: headings stay, what stands in columns goes into fenced blocks as it
// is, which costs a language model fewer tokens than Markdown's tables. With `prompt`: a last
// section that says what to do with it.
[[nodiscard]] std::string to_markdown(std::string_view text_report, bool prompt);

// text_report() as Markdown; options.max_tokens counts all of it.
[[nodiscard]] std::string markdown_report(const model::Profile& profile,
                                          const TextReportOptions& options, bool prompt);

}  // namespace pyprof::report
