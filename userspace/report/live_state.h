// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/report/live_rows.h"

// What who looks at `top` has chosen, and what a key changes of it. Nothing here knows of a
// terminal or of sampling.
namespace pyprof::report {

struct LiveKey {
  enum class Kind : uint8_t {
    kCharacter,  // `code` is the code point
    kFunction,   // `code` is its number: 1 = F1
    kUp,
    kDown,
    kPageUp,
    kPageDown,
    kHome,
    kEnd,
    kEnter,
    kBackspace,
    kEscape,
  };
  Kind kind = Kind::kCharacter;
  uint32_t code = 0;
};

// What is left to do for who owns the sampling and the files.
enum class LiveAction : uint8_t { kNone, kQuit, kWriteReport, kWriteFlameGraph, kReset, kRefresh };

class LiveState {
 public:
  static constexpr std::array<uint32_t, 6> kRefreshMs = {250, 500, 1'000, 2'000, 5'000, 10'000};

  // At the root of what is looked at: Backspace leads no further up.
  LiveState(LiveView view, const LiveScope& scope) : view_(view), scope_(scope), root_(scope) {}

  // `shown` is visible_rows() of what was on the screen, `page` its number of rows.
  LiveAction press(const LiveKey& key, const LiveTable& shown, std::size_t page);

  // The rows that pass the filter, in the order chosen, at most kMaxLiveRows.
  [[nodiscard]] LiveTable visible_rows(LiveTable table) const;

  // Index of the selected row; the selection sticks to its row when rows move. 0 of none.
  [[nodiscard]] std::size_t selected(const LiveTable& shown) const;

  [[nodiscard]] LiveView view() const { return view_; }
  [[nodiscard]] const LiveScope& scope() const { return scope_; }
  [[nodiscard]] const std::string& filter() const { return filter_; }
  [[nodiscard]] bool is_typing() const { return typing_; }
  [[nodiscard]] bool paused() const { return paused_; }
  [[nodiscard]] bool lines() const { return lines_; }
  [[nodiscard]] bool help() const { return help_; }
  [[nodiscard]] uint32_t refresh_ms() const { return kRefreshMs[refresh_]; }
  [[nodiscard]] std::size_t sort_column(const LiveTable& table) const;

  // A word for the last line, until the next key.
  std::string message;

 private:
  struct Place {
    LiveView view = LiveView::kProcesses;
    LiveScope scope;
    std::string filter;
    std::string selected_id;
  };

  LiveAction type(const LiveKey& key);
  LiveAction press_character(uint32_t code, const LiveTable& shown);
  bool move(const LiveKey& key, const LiveTable& shown, std::size_t page);
  void show(LiveView view);
  void drill(const LiveTable& shown);
  void go_up();
  void select(const LiveTable& shown, std::size_t row);
  void cycle_sort(const LiveTable& shown, bool forward);
  void change_refresh(int step);

  LiveView view_;
  LiveScope scope_;
  const LiveScope root_;
  std::vector<Place> trail_;  // where Backspace leads, the last one first
  std::array<std::size_t, kLiveViews> sort_ = {1, 2, 0, 0, 0};
  std::string filter_;
  std::string selected_id_;
  std::size_t selected_row_ = 0;  // where the row was: what is selected when it is gone
  bool typing_ = false;
  bool paused_ = false;
  bool lines_ = false;
  bool help_ = false;
  std::size_t refresh_ = 2;
};

}  // namespace pyprof::report
