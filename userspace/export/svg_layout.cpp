// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/svg_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "userspace/aggregate/clean_text.h"

namespace pyprof::exporter {
namespace {

using aggregate::CallNode;
using aggregate::CallTree;
using model::FrameKind;

// Hue in degrees, the others in percent; each is drawn from [least, least + spread].
struct Palette {
  int hue, hue_spread;
  int saturation, saturation_spread;
  int lightness, lightness_spread;
};

Palette palette(FrameKind kind) {
  switch (kind) {
    case FrameKind::kPython:
      return {22, 26, 82, 12, 62, 8};
    case FrameKind::kNative:
      return {198, 20, 52, 16, 68, 8};
    case FrameKind::kInterpreter:
      return {258, 16, 38, 14, 76, 6};
    case FrameKind::kKernel:
      return {346, 14, 58, 14, 72, 6};
    case FrameKind::kMarker:
      break;
  }
  return {0, 0, 0, 0, 82, 7};
}

uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash ^ hash >> 29;
}

std::string rgb_text(int hue, int saturation, int lightness) {
  const double light = lightness / 100.0;
  const double chroma = saturation / 100.0 * std::min(light, 1 - light);
  const auto channel = [&](int offset) {
    const double k = std::fmod(offset + hue / 30.0, 12.0);
    const double value = light - chroma * std::max(-1.0, std::min({k - 3, 9 - k, 1.0}));
    return static_cast<int>(std::lround(value * 255));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", channel(0), channel(8), channel(4));
}

std::vector<FlameBox> boxes_above(const CallTree& tree, double min_share) {
  const bool by_weight = tree.nodes()[0].total_weight_ns > 0;
  const auto value = [&](uint32_t node) {
    const CallNode& n = tree.nodes()[node];
    return static_cast<double>(by_weight ? n.total_weight_ns : n.total_count);
  };
  const double whole = std::max(1.0, value(0));
  std::vector<FlameBox> boxes = {{0, 0, 1}};
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    double x = boxes[i].x;
    for (const uint32_t child : tree.children(boxes[i].node)) {
      const double width = value(child) / whole;
      if (width >= min_share) boxes.push_back({child, x, width});
      x += width;
    }
  }
  return boxes;
}

bool is_wide(uint32_t point) {
  return (point >= 0x1100 && point <= 0x115f) || (point >= 0x2e80 && point <= 0xa4cf) ||
         (point >= 0xac00 && point <= 0xd7a3) || (point >= 0xf900 && point <= 0xfaff) ||
         (point >= 0xfe30 && point <= 0xfe6f) || (point >= 0xff00 && point <= 0xff60) ||
         (point >= 0x1f300 && point <= 0x1faff) || (point >= 0x20000 && point <= 0x3fffd);
}

}  // namespace

std::vector<FlameBox> lay_out(const CallTree& tree, double min_share, std::size_t max_boxes) {
  std::vector<FlameBox> boxes = boxes_above(tree, min_share);
  while (boxes.size() > std::max<std::size_t>(max_boxes, 1) && min_share < 1) {
    min_share = min_share > 0 ? min_share * 2 : 1e-6;
    boxes = boxes_above(tree, min_share);
  }
  return boxes;
}

std::string flame_color(const aggregate::CallName& name) {
  const std::size_t place = name.text.find_last_of("([");
  const uint64_t hash = hash_of(std::string_view(name.text).substr(0, place));
  const Palette from = palette(name.kind);
  const auto draw = [hash](int least, int spread, int shift) {
    return least + static_cast<int>((hash >> shift) % static_cast<uint64_t>(spread + 1));
  };
  return rgb_text(draw(from.hue, from.hue_spread, 0),
                  draw(from.saturation, from.saturation_spread, 16),
                  draw(from.lightness, from.lightness_spread, 32));
}

std::string fit_text(std::string_view text, std::size_t cells) {
  if (cells < 3) return "";
  std::size_t used = 0;
  std::size_t cut = 0;  // what fits together with the ellipsis
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const std::size_t width = is_wide(aggregate::next_code_point(text, at)) ? 2 : 1;
    if (used + width > cells) return std::string(text.substr(0, cut)) + "\xe2\x80\xa6";
    used += width;
    cut = used < cells ? at : start;
  }
  return std::string(text);
}

std::string xml_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace pyprof::exporter
