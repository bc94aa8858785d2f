// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/aggregate/call_tree.h"

// The geometry, colours and labels of a flame graph; svg.h turns them into a file.
namespace pyprof::exporter {

// The page's script, flamegraph.js.
extern const char* const kFlamegraphJs;

struct FlameBox {
  uint32_t node = 0;
  double x = 0;      // left edge, share of the root's width
  double width = 0;  // share of the root's width
};

// The nodes to draw, callers before callees, siblings from left to right by name. Those narrower
// than min_share are left out with all above them; the bound grows until max_boxes are enough.
// By weight, or by count where the tree has no weight.
[[nodiscard]] std::vector<FlameBox> lay_out(const aggregate::CallTree& tree, double min_share,
                                            std::size_t max_boxes);

// "#rrggbb": the hue tells the kind, the shade the function (its name without the place).
[[nodiscard]] std::string flame_color(const aggregate::CallName& name);

// What of `text` fits into `cells` columns of a monospaced font, wide characters taking two; cut
// text ends in U+2026. Empty if fewer than 3 cells.
[[nodiscard]] std::string fit_text(std::string_view text, std::size_t cells);

// Escapes clean text (aggregate/clean_text.h) for XML content and attributes.
[[nodiscard]] std::string xml_escape(std::string_view text);

}  // namespace pyprof::exporter
