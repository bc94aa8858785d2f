// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/live_screen.h"

#include <fmt/format.h>
#include <locale.h>
#include <wchar.h>

#include <algorithm>
#include <string_view>

#include "userspace/aggregate/clean_text.h"
#include "userspace/report/table.h"

namespace pyprof::report {
namespace {

constexpr std::string_view kEllipsis = "\xe2\x80\xa6";
constexpr std::size_t kMaxColumnWidth = 28;  // of all but the last

// Widths are those of Unicode, whatever the locale of the program.
std::size_t width_of(uint32_t point) {
  static const locale_t unicode = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (point < 0x7f || unicode == nullptr) return 1;
  const locale_t before = ::uselocale(unicode);
  const int width = ::wcwidth(static_cast<wchar_t>(point));
  ::uselocale(before);
  return width < 0 ? 1 : static_cast<std::size_t>(width);
}

std::vector<std::size_t> column_widths(const LiveTable& table) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    std::size_t width = display_width(table.columns[i].name) + 1;  // room for the mark of the order
    for (const LiveRow& row : table.rows)
      width = std::max(width, std::min(display_width(row.cells[i]), kMaxColumnWidth));
    widths.push_back(width);
  }
  return widths;
}

std::string padded(const std::string& cell, std::size_t width, bool right) {
  const std::string fitted = fit_width(cell, width);
  const std::string blanks(width - std::min(width, display_width(fitted)), ' ');
  return right ? blanks + fitted : fitted + blanks;
}

std::string table_line(const LiveTable& table, const std::vector<std::string>& cells,
                       const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += "  ";
    const bool last = i + 1 == cells.size();
    line += last ? cells[i] : padded(cells[i], widths[i], table.columns[i].right);
  }
  return line;
}

std::string head_line(const LiveState& state, const LiveSums& sums, const LiveHead& head) {
  return fmt::format("{}{}  {:.2f} cores  GIL {:.0f} %  samples {}  lost {}  {}",
                     state.paused() ? "PAUSED  " : "", head.subject, sums.cores, sums.gil_percent,
                     sums.samples, sums.lost, head.clock);
}

std::string tabs_line(const LiveState& state) {
  static constexpr const char* kTabs[kLiveViews] = {"F1 Processes", "F2 Threads", "F3 Functions",
                                                    "F4 Tree", "F5 Stacks"};
  std::string line;
  for (std::size_t i = 0; i < kLiveViews; ++i) {
    const bool current = i == static_cast<std::size_t>(state.view());
    line += current ? fmt::format("[{}]", kTabs[i]) : fmt::format(" {} ", kTabs[i]);
  }
  return line + "   ? help";
}

std::string scope_line(const LiveState& state, const LiveTable& shown) {
  const LiveScope& scope = state.scope();
  std::string line = scope.pid != 0 ? fmt::format("pid {}", scope.pid) : "all processes";
  if (scope.tid != 0) line += fmt::format(" > thread {}", scope.tid);
  if (!scope.name.empty()) line += " > " + scope.name;
  if (shown.sortable) line += "   by " + shown.columns[state.sort_column(shown)].name;
  if (!state.filter().empty()) line += "   filter: " + aggregate::clean_text(state.filter());
  return line;
}

std::string last_line(const LiveState& state) {
  if (state.is_typing()) return "filter: " + aggregate::clean_text(state.filter()) + "_";
  if (!state.message.empty()) return state.message;
  return "Enter in  Backspace up  s sort  / filter  p pause  w report  f flame  q quit";
}

std::vector<std::string> help_lines() {
  return {"F1 or 1  processes: cores used, GIL held",
          "F2 or 2  threads of a process, like top -H",
          "F3 or 3  functions: now in % of the CPU time, in seconds since the start or r",
          "F4 or 4  tree of calls of the last seconds",
          "F5 or 5  where each thread is now, those that wait, too",
          "",
          "Enter      look closer: process, thread, function, its calls",
          "Backspace  back again",
          "Up Down PgUp PgDn Home End j k   move",
          "s S        sort by the next or the last column",
          "/          filter; Esc clears it",
          "p          pause the picture; sampling goes on",
          "L          lines that run instead of functions",
          "+ -        faster or slower",
          "r          start again from zero",
          "w          write the text report of all since the start or r",
          "f          write a flame graph of the same",
          "q          quit"};
}

void add_help(LiveScreen& screen, std::size_t rows) {
  for (const std::string& line : help_lines())
    if (screen.lines.size() < rows) screen.lines.push_back({line, LiveStyle::kPlain});
}

void add_table(LiveScreen& screen, const LiveState& state, const LiveTable& shown) {
  const auto widths = column_widths(shown);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < shown.columns.size(); ++i) {
    const bool sorted = shown.sortable && i == state.sort_column(shown);
    names.push_back(shown.columns[i].name + (sorted ? "*" : ""));
  }
  screen.lines.push_back({table_line(shown, names, widths), LiveStyle::kHeading});
  const std::size_t selected = state.selected(shown);
  const std::size_t first = selected >= screen.page ? selected + 1 - screen.page : 0;
  for (std::size_t i = first; i < std::min(shown.rows.size(), first + screen.page); ++i) {
    const LiveStyle style = i == selected          ? LiveStyle::kSelected
                            : shown.rows[i].strong ? LiveStyle::kStrong
                                                   : LiveStyle::kPlain;
    screen.lines.push_back({table_line(shown, shown.rows[i].cells, widths), style});
  }
  if (shown.rows.empty()) {
    screen.lines.push_back(
        {shown.remark.empty() ? "nothing here yet" : shown.remark, LiveStyle::kFaint});
  }
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();)
    width += width_of(aggregate::next_code_point(text, at));
  return width;
}

std::string fit_width(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return "";
  std::size_t at = 0, width = 0, end = 0;
  while (at < text.size()) {
    width += width_of(aggregate::next_code_point(text, at));
    if (width + 1 > columns) break;
    end = at;
  }
  return std::string(text.substr(0, end)).append(kEllipsis);
}

LiveScreen live_screen(const LiveState& state, const LiveTable& shown, const LiveSums& sums,
                       const LiveHead& head, std::size_t columns, std::size_t rows) {
  LiveScreen screen;
  screen.page = rows > kLiveMargin ? rows - kLiveMargin : 0;
  screen.lines.push_back({head_line(state, sums, head), LiveStyle::kStrong});
  screen.lines.push_back({tabs_line(state), LiveStyle::kPlain});
  if (state.help()) {
    add_help(screen, rows > 0 ? rows - 1 : 0);
  } else {
    screen.lines.push_back({scope_line(state, shown), LiveStyle::kFaint});
    add_table(screen, state, shown);
  }
  while (screen.lines.size() + 1 < rows)
    screen.lines.emplace_back();
  screen.lines.resize(rows > 0 ? rows - 1 : 0);
  if (rows > 0) screen.lines.push_back({last_line(state), LiveStyle::kFaint});
  for (LiveLine& line : screen.lines)
    line.text = fit_width(line.text, columns);
  return screen;
}

std::string live_text(const LiveTable& shown) {
  std::vector<Table::Column> columns;
  for (const LiveColumn& column : shown.columns)
    columns.push_back({column.name, column.right});
  Table table(std::move(columns));
  for (const LiveRow& row : shown.rows)
    table.add(row.cells);
  return table.text() + (shown.rows.empty() && !shown.remark.empty() ? shown.remark + "\n" : "");
}

}  // namespace pyprof::report
