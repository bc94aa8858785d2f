// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/userspace/aggregate/profile_maker.h"
#include "userspace/aggregate/view.h"
#include "userspace/report/live_screen.h"

namespace pyprof::report {
namespace {

using Kind = LiveKey::Kind;

LiveData data_of(const model::Profile& profile) {
  LiveData data;
  data.window = data.recent = aggregate::apply_view(profile, {});
  data.history.start(data.window, data.window, false);
  return data;
}

// `top` without its terminal.
struct Session {
  explicit Session(const model::Profile& profile, LiveView view = LiveView::kProcesses)
      : data(data_of(profile)), state(view, {}) {}

  LiveTable shown() const {
    return state.visible_rows(
        live_table(state.view(), data, state.scope(), {state.lines(), false}));
  }
  LiveAction press(Kind kind, uint32_t code = 0) { return state.press({kind, code}, shown(), 10); }
  void type(const std::string& keys) {
    for (const char key : keys)
      press(Kind::kCharacter, static_cast<unsigned char>(key));
  }
  std::vector<std::string> lines(std::size_t columns = 80, std::size_t rows = 24) const {
    const auto screen = live_screen(state, shown(), live_sums(data.window, state.scope()),
                                    {"pid 4242 python3", "13:00:01"}, columns, rows);
    std::vector<std::string> texts;
    for (const LiveLine& line : screen.lines)
      texts.push_back(line.text);
    return texts;
  }
  std::vector<std::string> column(std::size_t index) const {
    std::vector<std::string> cells;
    for (const LiveRow& row : shown().rows)
      cells.push_back(row.cells[index]);
    return cells;
  }

  LiveData data;
  LiveState state;
};

using Cells = std::vector<std::string>;

bool has(const std::vector<std::string>& lines, const std::string& text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

TEST(LiveTest, ProcessesShowTheCoresTheyUsed) {
  const Session session(test::service_profile());
  const auto table = session.shown();
  ASSERT_EQ(table.rows.size(), 1U);
  // 1.02 s by the scheduler in 10 s.
  EXPECT_EQ(table.rows[0].cells, (Cells{"4242", "0.10", "0.0", "2", "3.12.1", "-", "python3"}));
}

TEST(LiveTest, EnterLeadsFromProcessToThreadToFunctionToItsCallsAndBackspaceBack) {
  Session session(test::service_profile());
  session.press(Kind::kEnter);
  EXPECT_EQ(session.state.view(), LiveView::kThreads);
  EXPECT_EQ(session.state.scope().pid, 4242);
  EXPECT_EQ(session.column(0), (Cells{"4247", "4242"}));
  session.press(Kind::kDown);
  session.press(Kind::kEnter);
  EXPECT_EQ(session.state.view(), LiveView::kFunctions);
  EXPECT_EQ(session.state.scope().tid, 4242);
  session.data.history.start(narrow(session.data.window, session.state.scope()),
                             narrow(session.data.window, session.state.scope()), false);
  EXPECT_EQ(session.column(5).front(), "fib  fib.py:1");
  EXPECT_EQ(session.column(0).front(), "90.0") << "27 of the thread's 30 samples";
  session.press(Kind::kEnter);
  EXPECT_EQ(session.state.view(), LiveView::kTree);
  EXPECT_TRUE(has(session.column(2), "fib (fib.py:1)"));
  EXPECT_FALSE(has(session.column(2), "serve"));
  for (const LiveView view : {LiveView::kFunctions, LiveView::kThreads, LiveView::kProcesses}) {
    session.press(Kind::kBackspace);
    EXPECT_EQ(session.state.view(), view);
  }
  EXPECT_EQ(session.state.scope(), LiveScope{});
  session.press(Kind::kBackspace);
  EXPECT_EQ(session.state.view(), LiveView::kProcesses);
}

TEST(LiveTest, SortingGoesAroundInBothDirections) {
  Session session(test::service_profile(), LiveView::kThreads);
  EXPECT_EQ(session.column(0), (Cells{"4247", "4242"})) << "by CPU";
  session.type("ss");
  EXPECT_EQ(session.shown().columns[session.state.sort_column(session.shown())].name, "NAME");
  EXPECT_EQ(session.column(4), (Cells{"python3/python3", "python3/worker-0"}));
  session.type("SS");
  EXPECT_EQ(session.column(0), (Cells{"4247", "4242"}));
}

TEST(LiveTest, AFilterKeepsWhatHasTheText) {
  Session session(test::service_profile(), LiveView::kFunctions);
  session.type("/SERVX");
  EXPECT_TRUE(session.state.is_typing());
  session.press(Kind::kBackspace);
  EXPECT_TRUE(has(session.lines(), "filter: SERV"));
  session.press(Kind::kEnter);
  EXPECT_EQ(session.column(5), (Cells{"Server.serve  main.py:80"}));
  EXPECT_EQ(session.press(Kind::kCharacter, 'q'), LiveAction::kQuit);
  session.press(Kind::kEscape);
  EXPECT_GT(session.shown().rows.size(), 3U);
}

TEST(LiveTest, TheSelectionStaysWithItsRow) {
  Session session(test::service_profile(), LiveView::kThreads);
  session.press(Kind::kDown);
  EXPECT_EQ(session.shown().rows[session.state.selected(session.shown())].cells[0], "4242");
  session.data.window.threads[1].cpu_ns = 5'000'000'000;
  EXPECT_EQ(session.state.selected(session.shown()), 0U);
  EXPECT_EQ(session.shown().rows[0].cells[0], "4242");
}

TEST(LiveTest, HistoryCountsSecondsAndShowsTheTrend) {
  const model::Profile profile = aggregate::apply_view(test::service_profile(), {});
  FunctionHistory history;
  history.start(model::Profile{}, model::Profile{}, false);
  history.add(profile);
  history.add(profile);
  const auto find = [&](const std::string& name) {
    for (const auto& [id, past] : history.functions())
      if (past.name == name) return past;
    return FunctionHistory::Past{};
  };
  // 27 of 100 samples of 1.02 s, twice.
  EXPECT_NEAR(find("fib").self_s, 2 * 0.27 * 1.02, 0.001);
  EXPECT_NEAR(find("fib").now_percent, 27, 0.01);
  EXPECT_LT(find("fib").usual_percent, 10);
  for (int i = 0; i < 20; ++i)
    history.add(profile);
  EXPECT_NEAR(find("fib").usual_percent, 27, 1);
  history.add(model::Profile{});
  EXPECT_EQ(find("fib").now_percent, 0);
}

TEST(LiveTest, StacksAreFilteredByThread) {
  Session session(test::service_profile(), LiveView::kStacks);
  session.data.threads = {{1, 'S', "reader", {"read (io.py:3)", "loop (main.py:1)"}, true, true},
                          {2, 'R', "worker", {"work (main.py:9)"}, false, false}};
  session.type("/io.py");
  session.press(Kind::kEnter);
  EXPECT_EQ(session.column(0), (Cells{"Thread 1 \"reader\" (sleeping)", "    read (io.py:3)",
                                      "    loop (main.py:1)"}));
  session.press(Kind::kEscape);
  EXPECT_EQ(session.column(0).back(), "    [truncated]");
}

TEST(LiveTest, EveryLineFitsTheScreenWhateverItsSize) {
  for (const auto view : {LiveView::kProcesses, LiveView::kThreads, LiveView::kFunctions,
                          LiveView::kTree, LiveView::kStacks}) {
    Session session(test::hostile_profile(), view);
    for (const char* name : test::kHostileNames)
      session.data.threads.push_back({3, '\x1b', name, {name, name}, true, true});
    for (const auto& [columns, rows] : {std::pair<std::size_t, std::size_t>{80, 24},
                                        {200, 60},
                                        {20, 6},
                                        {7, 3},
                                        {1, 1},
                                        {0, 0}}) {
      const auto lines = session.lines(columns, rows);
      EXPECT_EQ(lines.size(), rows);
      for (const std::string& line : lines) {
        EXPECT_LE(display_width(line), columns) << line;
        EXPECT_TRUE(std::none_of(line.begin(), line.end(), [](unsigned char byte) {
          return byte < 0x20 || byte == 0x7f;
        })) << line;
      }
    }
    const std::string text = live_text(session.shown());
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')),
              1 + session.shown().rows.size());
  }
}

TEST(LiveTest, WideCharactersTakeTwoColumns) {
  EXPECT_EQ(display_width("\xe5\x87\xbd\xe6\x95\xb0()"), 6U);
  EXPECT_EQ(display_width("e\xcc\x81"), 1U) << "a combining accent";
  EXPECT_EQ(fit_width("\xe5\x87\xbd\xe6\x95\xb0()", 4), "\xe5\x87\xbd\xe2\x80\xa6");
  EXPECT_EQ(fit_width("abc", 3), "abc");
  EXPECT_EQ(fit_width("abcd", 3), "ab\xe2\x80\xa6");
  EXPECT_EQ(fit_width("abcd", 0), "");
}

TEST(LiveTest, KeysAskForWhatOthersDo) {
  Session session(test::service_profile());
  const auto answer = [&](char key) {
    return session.press(Kind::kCharacter, static_cast<unsigned char>(key));
  };
  EXPECT_EQ(answer('w'), LiveAction::kWriteReport);
  EXPECT_EQ(answer('f'), LiveAction::kWriteFlameGraph);
  EXPECT_EQ(answer('r'), LiveAction::kReset);
  EXPECT_EQ(session.state.refresh_ms(), 1'000U);
  EXPECT_EQ(answer('+'), LiveAction::kRefresh);
  EXPECT_EQ(session.state.refresh_ms(), 500U);
  for (int i = 0; i < 20; ++i)
    answer('-');
  EXPECT_EQ(session.state.refresh_ms(), 10'000U);
  answer('p');
  EXPECT_TRUE(has(session.lines(), "PAUSED"));
  answer('?');
  EXPECT_TRUE(has(session.lines(), "Backspace"));
  EXPECT_EQ(answer('x'), LiveAction::kNone);
  EXPECT_FALSE(session.state.help());
  EXPECT_EQ(answer('q'), LiveAction::kQuit);
}

}  // namespace
}  // namespace pyprof::report
