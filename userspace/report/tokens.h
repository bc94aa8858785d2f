// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace pyprof::report {

// How many tokens a language model makes of a report, without any model's vocabulary: a little more
// than the byte pair encodings in use (cl100k, o200k) do.
[[nodiscard]] std::size_t estimate_tokens(std::string_view text);

}  // namespace pyprof::report
