// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/report/live_state.h"

// The screen of `top` as lines of text: what is drawn, but not how.
namespace pyprof::report {

enum class LiveStyle : uint8_t { kPlain, kStrong, kHeading, kSelected, kFaint };

// Clean UTF-8: one line, no control characters, not wider than the screen.
struct LiveLine {
  std::string text;
  LiveStyle style = LiveStyle::kPlain;
};

// Facts of the moment that neither the samples nor the state hold.
struct LiveHead {
  std::string subject;  // "pid 4242 python3", "all processes"
  std::string clock;    // "13:00:01"
};

struct LiveScreen {
  std::vector<LiveLine> lines;  // exactly as many as the screen has
  std::size_t page = 0;         // rows of the table that fit
};

inline constexpr std::size_t kLiveMargin = 5;  // lines that are not the table's rows

// `shown` is LiveState::visible_rows(). Of a screen too small for anything the first lines.
[[nodiscard]] LiveScreen live_screen(const LiveState& state, const LiveTable& shown,
                                     const LiveSums& sums, const LiveHead& head,
                                     std::size_t columns, std::size_t rows);

// The same table for scripts: a line of column names, then every row, none of them cut.
[[nodiscard]] std::string live_text(const LiveTable& shown);

// Columns of a terminal that the text takes; wide characters take two.
[[nodiscard]] std::size_t display_width(std::string_view text);
// Its start of at most `columns`, with U+2026 at the end if something is missing.
[[nodiscard]] std::string fit_width(std::string_view text, std::size_t columns);

}  // namespace pyprof::report
