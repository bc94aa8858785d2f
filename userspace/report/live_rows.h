// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "userspace/model/profile.h"
#include "userspace/report/live_history.h"

// The tables of `top`, made of the samples of a moment. Nothing here knows of a terminal.
namespace pyprof::report {

enum class LiveView : uint8_t { kProcesses, kThreads, kFunctions, kTree, kStacks };
inline constexpr std::size_t kLiveViews = 5;

// "processes", "threads", "functions", "tree", "stacks"
[[nodiscard]] const char* live_view_name(LiveView view);

// A thread at this moment, the waiting ones too. Text may be raw: it is cleaned here.
struct LiveThread {
  int32_t tid = 0;
  char state = '?';                 // as in /proc/TID/stat
  std::string name;                 // threading.Thread.name, else the comm
  std::vector<std::string> frames;  // innermost first, as they are shown; empty = no Python frame
  bool whole = true;
  bool stable = true;
};

// What a frame of the screen is made of. `window` and `recent` went through
// aggregate::apply_view().
struct LiveData {
  model::Profile window;  // the last refresh interval
  model::Profile recent;  // the last few of them: a tree of a single one would flicker
  FunctionHistory history;
  std::vector<LiveThread> threads;  // of the process in the scope, if they could be read
  std::string no_threads;           // why not; empty = they could
};

struct LiveColumn {
  std::string name;
  bool right = false;
  bool number = false;  // sorted by LiveRow::keys, most first; else by text
};

struct LiveRow {
  std::vector<std::string> cells;  // clean text, one per column
  std::vector<double> keys;        // one per column, 0 for texts
  LiveScope target;                // where Enter leads
  std::string id;                  // what the selection sticks to
  uint32_t group = 0;              // rows of a group are shown or filtered out together
  bool strong = false;
};

struct LiveTable {
  std::vector<LiveColumn> columns;
  std::vector<LiveRow> rows;
  bool sortable = false;
  std::string remark;  // of an empty one: why
};

struct LiveRowOptions {
  bool lines = false;  // tell lines apart, not just functions
  bool full_paths = false;
};

inline constexpr std::size_t kMaxLiveRows = 2'000;  // of a table; the least used are left out

[[nodiscard]] LiveTable live_table(LiveView view, const LiveData& data, const LiveScope& scope,
                                   const LiveRowOptions& options);

// Cores used and the share of the time that the GIL was held, of what is in the scope.
struct LiveSums {
  double cores = 0;
  double gil_percent = 0;  // above 100 with several interpreters or processes
  uint64_t samples = 0;
  uint64_t lost = 0;
};
[[nodiscard]] LiveSums live_sums(const model::Profile& window, const LiveScope& scope);

}  // namespace pyprof::report
