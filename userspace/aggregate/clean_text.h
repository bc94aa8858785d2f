// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Text that came from a profiled process, made safe to show. Every name passes here once before it
// reaches an output; the escaping that a format needs (XML, JSON, folded) comes on top of it.
namespace pyprof::aggregate {

inline constexpr std::size_t kMaxTextBytes = 1024;

// One line of valid UTF-8 without control characters, direction overrides or code points that XML
// forbids: blanks for tabs and line ends, U+FFFD for the rest. Longer input is cut at a character
// and ends in U+2026.
[[nodiscard]] std::string clean_text(std::string_view raw, std::size_t max_bytes = kMaxTextBytes);

// Decodes the character at `at` (< text.size()) and moves past it; an invalid byte is U+FFFD.
[[nodiscard]] uint32_t next_code_point(std::string_view text, std::size_t& at);

[[nodiscard]] std::size_t count_code_points(std::string_view text);

// What follows the last '/'; the whole path if that is empty.
[[nodiscard]] std::string_view base_name(std::string_view path);

}  // namespace pyprof::aggregate
