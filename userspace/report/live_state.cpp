// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/live_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace pyprof::report {
namespace {

constexpr std::size_t kMaxFilterBytes = 200;
constexpr std::size_t kMaxTrail = 32;

// Letters of ASCII alone: names are compared byte by byte otherwise.
std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char byte) {
    return static_cast<char>(byte < 0x80 ? std::tolower(byte) : byte);
  });
  return text;
}

bool matches(const LiveRow& row, const std::string& wanted) {
  return std::any_of(row.cells.begin(), row.cells.end(), [&](const std::string& cell) {
    return lower(cell).find(wanted) != std::string::npos;
  });
}

void keep_matching(std::vector<LiveRow>& rows, const std::string& filter) {
  const std::string wanted = lower(filter);
  std::set<uint32_t> groups;
  for (const LiveRow& row : rows)
    if (row.group != 0 && matches(row, wanted)) groups.insert(row.group);
  std::erase_if(rows, [&](const LiveRow& row) {
    return row.group != 0 ? !groups.contains(row.group) : !matches(row, wanted);
  });
}

void append_utf8(std::string& text, uint32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr unsigned char kLead[] = {0, 0xc0, 0xe0, 0xf0};
  text += static_cast<char>(kLead[more] | code >> (6 * more));
  for (int i = more - 1; i >= 0; --i)
    text += static_cast<char>(0x80 | (code >> (6 * i) & 0x3f));
}

void drop_last_character(std::string& text) {
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80)
    text.pop_back();
  if (!text.empty()) text.pop_back();
}

}  // namespace

std::size_t LiveState::sort_column(const LiveTable& table) const {
  const std::size_t column = sort_[static_cast<std::size_t>(view_)];
  return column < table.columns.size() ? column : 0;
}

LiveTable LiveState::visible_rows(LiveTable table) const {
  if (!filter_.empty()) keep_matching(table.rows, filter_);
  if (table.sortable) {
    const std::size_t column = sort_column(table);
    const bool number = table.columns[column].number;
    std::stable_sort(table.rows.begin(), table.rows.end(), [&](const auto& a, const auto& b) {
      return number ? a.keys[column] > b.keys[column] : a.cells[column] < b.cells[column];
    });
  }
  if (table.rows.size() > kMaxLiveRows) table.rows.resize(kMaxLiveRows);
  return table;
}

std::size_t LiveState::selected(const LiveTable& shown) const {
  if (shown.rows.empty()) return 0;
  for (std::size_t i = 0; !selected_id_.empty() && i < shown.rows.size(); ++i)
    if (shown.rows[i].id == selected_id_) return i;
  return std::min(selected_row_, shown.rows.size() - 1);
}

LiveAction LiveState::press(const LiveKey& key, const LiveTable& shown, std::size_t page) {
  message.clear();
  if (help_) {
    help_ = false;
    const bool quits = key.kind == LiveKey::Kind::kCharacter && key.code == 'q';
    return quits ? LiveAction::kQuit : LiveAction::kNone;
  }
  if (typing_) return type(key);
  if (move(key, shown, page)) return LiveAction::kNone;
  switch (key.kind) {
    case LiveKey::Kind::kFunction:
      if (key.code >= 1 && key.code <= kLiveViews) show(static_cast<LiveView>(key.code - 1));
      return LiveAction::kNone;
    case LiveKey::Kind::kEnter:
      drill(shown);
      return LiveAction::kNone;
    case LiveKey::Kind::kBackspace:
      go_up();
      return LiveAction::kNone;
    case LiveKey::Kind::kEscape:
      filter_.clear();
      return LiveAction::kNone;
    default:
      return press_character(key.code, shown);
  }
}

LiveAction LiveState::type(const LiveKey& key) {
  switch (key.kind) {
    case LiveKey::Kind::kEscape:
      filter_.clear();
      [[fallthrough]];
    case LiveKey::Kind::kEnter:
      typing_ = false;
      break;
    case LiveKey::Kind::kBackspace:
      drop_last_character(filter_);
      break;
    case LiveKey::Kind::kCharacter:
      if (key.code >= ' ' && key.code != 0x7f && filter_.size() < kMaxFilterBytes)
        append_utf8(filter_, key.code);
      break;
    default:
      break;
  }
  return LiveAction::kNone;
}

LiveAction LiveState::press_character(uint32_t code, const LiveTable& shown) {
  if (code >= '1' && code <= '5') {
    show(static_cast<LiveView>(code - '1'));
    return LiveAction::kNone;
  }
  switch (code) {
    case 'q':
      return LiveAction::kQuit;
    case 'w':
      return LiveAction::kWriteReport;
    case 'f':
      return LiveAction::kWriteFlameGraph;
    case 'r':
    case 'R':
      return LiveAction::kReset;
    case '+':
    case '-':
      change_refresh(code == '+' ? 1 : -1);
      return LiveAction::kRefresh;
    case 's':
    case 'S':
      cycle_sort(shown, code == 's');
      break;
    case 'p':
      paused_ = !paused_;
      break;
    case 'L':
    case 'l':
      lines_ = !lines_;
      break;
    case '/':
      typing_ = true;
      break;
    case '?':
    case 'h':
      help_ = true;
      break;
    default:
      break;
  }
  return LiveAction::kNone;
}

bool LiveState::move(const LiveKey& key, const LiveTable& shown, std::size_t page) {
  const std::size_t now = selected(shown), last = shown.rows.empty() ? 0 : shown.rows.size() - 1;
  const std::size_t step = std::max<std::size_t>(1, page);
  const auto is = [&](LiveKey::Kind kind, uint32_t code) {
    return key.kind == kind || (key.kind == LiveKey::Kind::kCharacter && key.code == code);
  };
  if (is(LiveKey::Kind::kUp, 'k')) {
    select(shown, now > 0 ? now - 1 : 0);
  } else if (is(LiveKey::Kind::kDown, 'j')) {
    select(shown, std::min(now + 1, last));
  } else if (key.kind == LiveKey::Kind::kPageUp) {
    select(shown, now > step ? now - step : 0);
  } else if (key.kind == LiveKey::Kind::kPageDown) {
    select(shown, std::min(now + step, last));
  } else if (key.kind == LiveKey::Kind::kHome) {
    select(shown, 0);
  } else if (key.kind == LiveKey::Kind::kEnd) {
    select(shown, last);
  } else {
    return false;
  }
  return true;
}

void LiveState::select(const LiveTable& shown, std::size_t row) {
  selected_row_ = row;
  selected_id_ = row < shown.rows.size() && row > 0 ? shown.rows[row].id : "";
}

// What a view is about can't be narrower than its rows.
void LiveState::show(LiveView view) {
  view_ = view;
  if (view <= LiveView::kFunctions) scope_.function = scope_.name = "";
  if (view <= LiveView::kThreads) scope_.tid = root_.tid;
  if (view == LiveView::kProcesses) scope_.pid = root_.pid;
  selected_row_ = 0;
  selected_id_.clear();
}

void LiveState::drill(const LiveTable& shown) {
  if (shown.rows.empty() || view_ == LiveView::kTree) return;
  const LiveRow& row = shown.rows[selected(shown)];
  if (view_ == LiveView::kStacks && row.target.tid == 0) return;
  if (trail_.size() >= kMaxTrail) trail_.erase(trail_.begin());
  trail_.push_back({view_, scope_, filter_, row.id});
  static constexpr LiveView kNext[kLiveViews] = {LiveView::kThreads, LiveView::kFunctions,
                                                 LiveView::kTree, LiveView::kTree,
                                                 LiveView::kFunctions};
  view_ = kNext[static_cast<std::size_t>(view_)];
  scope_ = row.target;
  filter_.clear();
  selected_row_ = 0;
  selected_id_.clear();
}

void LiveState::go_up() {
  if (trail_.empty()) return;
  Place place = std::move(trail_.back());
  trail_.pop_back();
  view_ = place.view;
  scope_ = std::move(place.scope);
  filter_ = std::move(place.filter);
  selected_id_ = std::move(place.selected_id);
}

void LiveState::cycle_sort(const LiveTable& shown, bool forward) {
  if (!shown.sortable) {
    message = "this view has one order";
    return;
  }
  std::size_t& column = sort_[static_cast<std::size_t>(view_)];
  const std::size_t count = shown.columns.size();
  column = (sort_column(shown) + (forward ? 1 : count - 1)) % count;
  message = "sorted by " + shown.columns[column].name;
}

void LiveState::change_refresh(int step) {
  if (step > 0 && refresh_ > 0) --refresh_;
  if (step < 0 && refresh_ + 1 < kRefreshMs.size()) ++refresh_;
  message = fmt::format("a new picture every {} s", static_cast<double>(refresh_ms()) / 1000);
}

}  // namespace pyprof::report
