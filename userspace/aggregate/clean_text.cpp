// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/clean_text.h"

#include "userspace/base/text.h"

namespace pyprof::aggregate {
namespace {

constexpr uint32_t kReplacement = 0xfffd;
constexpr std::string_view kEllipsis = "\xe2\x80\xa6";

bool is_blank(uint32_t point) {
  return point == '\t' || point == '\n' || point == '\r' || point == 0x2028 || point == 0x2029;
}

bool is_unprintable(uint32_t point) {
  const bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
  const bool direction = (point >= 0x202a && point <= 0x202e) ||
                         (point >= 0x2066 && point <= 0x2069) || point == 0x200e || point == 0x200f;
  return control || direction || (point & 0xfffe) == 0xfffe || point == 0xfeff;
}

}  // namespace

uint32_t next_code_point(std::string_view text, std::size_t& at) {
  const std::size_t bytes = utf8_length(text.substr(at));
  const auto lead = static_cast<unsigned char>(text[at]);
  if (bytes <= 1) {
    ++at;
    return bytes == 1 ? lead : kReplacement;
  }
  uint32_t point = lead & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    point = point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3fU);
  }
  at += bytes;
  return point;
}

std::string clean_text(std::string_view raw, std::size_t max_bytes) {
  std::string out;
  std::size_t at = 0;
  while (at < raw.size()) {
    const std::size_t start = at;
    const uint32_t point = next_code_point(raw, at);
    std::string_view piece = raw.substr(start, at - start);
    if (is_blank(point)) {
      piece = " ";
    } else if (point == kReplacement || is_unprintable(point)) {
      piece = "\xef\xbf\xbd";
    }
    if (out.size() + piece.size() > max_bytes) return out.append(kEllipsis);
    out.append(piece);
  }
  return out;
}

std::size_t count_code_points(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count)
    (void)next_code_point(text, at);
  return count;
}

std::string_view base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || slash + 1 == path.size()) return path;
  return path.substr(slash + 1);
}

}  // namespace pyprof::aggregate
