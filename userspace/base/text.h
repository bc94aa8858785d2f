// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

// What every writer of foreign text needs to know of UTF-8.
namespace pyprof {

// Bytes of the well-formed UTF-8 character at the start of `text`; 0 = not UTF-8 (overlong forms,
// surrogates and values above U+10FFFF included) or empty.
[[nodiscard]] std::size_t utf8_length(std::string_view text);

// The character of `length` bytes at the start of `text` is a control: C0, DEL or C1.
[[nodiscard]] bool is_control(std::string_view text, std::size_t length);

}  // namespace pyprof
