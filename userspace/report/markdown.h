// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace pyprof::report {

// A text report as Markdown: headings stay, what stands in columns goes into fenced blocks as it
// is, which costs a language model fewer tokens than Markdown's tables. With `prompt`: a last
// section that says what to do with it.
[[nodiscard]] std::string to_markdown(std::string_view text_report, bool prompt);

}  // namespace pyprof::report
