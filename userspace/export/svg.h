// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/labels.h"
#include "userspace/model/profile.h"

namespace pyprof::exporter {

struct SvgOptions {
  aggregate::TextOptions text;
  bool threads = false;  // a box `thread NAME (TID)` below each thread's frames
  aggregate::GroupBy by = aggregate::GroupBy::kNone;  // and one of aggregate::group_text() below it
  std::string title;  // empty = "CPU flame graph: " and what was profiled
  std::size_t max_boxes = 50'000;
};

// A flame graph as one self-contained SVG, the root at the bottom, width = CPU time. In a browser
// it zooms by click, searches by regular expression, shows figures on hover and follows the
// window's width and the dark mode; elsewhere it is a picture 1,200 pixels wide. Boxes below 0.1
// pixel are left out. Give it a profile that went through aggregate::apply_view().
[[nodiscard]] std::string to_svg(const model::Profile& profile, const SvgOptions& options);

}  // namespace pyprof::exporter
