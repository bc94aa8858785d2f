// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/tokens.h"

namespace pyprof::report {
namespace {

enum class Kind { kLetter, kDigit, kBlank, kOther };

Kind kind_of(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::kLetter;
  if (c >= '0' && c <= '9') return Kind::kDigit;
  return c == ' ' ? Kind::kBlank : Kind::kOther;
}

// Names are parts of words rather than words; digits come by threes at most; a blank belongs to the
// word behind it, several are one token.
std::size_t tokens_of(Kind kind, std::size_t length) {
  switch (kind) {
    case Kind::kLetter:
      return (length + 5) / 6;
    case Kind::kDigit:
      return (length + 2) / 3;
    case Kind::kBlank:
      return length > 1 ? 1 : 0;
    default:
      return length;
  }
}

}  // namespace

std::size_t estimate_tokens(std::string_view text) {
  std::size_t tokens = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Kind kind = kind_of(text[at]);
    std::size_t end = at + 1;
    while (end < text.size() && kind_of(text[end]) == kind)
      ++end;
    tokens += tokens_of(kind, end - at);
    at = end;
  }
  return tokens;
}

}  // namespace pyprof::report
