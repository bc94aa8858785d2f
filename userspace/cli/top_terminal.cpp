// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/top_terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "userspace/aggregate/clean_text.h"

#define NCURSES_NOMACROS 1
#define NCURSES_WIDECHAR 1
#include <curses.h>

namespace pyprof::cli {
namespace {

using report::LiveKey;

constexpr int kEscapeDelayMs = 50;

// sudo and containers often leave no locale; the names are UTF-8 all the same.
void use_unicode() {
  ::setlocale(LC_CTYPE, "");
  if (std::strcmp(::nl_langinfo(CODESET), "UTF-8") != 0) ::setlocale(LC_CTYPE, "C.UTF-8");
}

// The last gate: nothing that could be a command to the terminal gets through.
std::wstring wide(const std::string& text) {
  std::wstring out;
  for (std::size_t at = 0; at < text.size();) {
    const uint32_t point = aggregate::next_code_point(text, at);
    const bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    out += control ? L'?' : static_cast<wchar_t>(point);
  }
  return out;
}

attr_t attributes(report::LiveStyle style) {
  switch (style) {
    case report::LiveStyle::kStrong:
      return A_BOLD;
    case report::LiveStyle::kHeading:
      return A_BOLD | A_UNDERLINE;
    case report::LiveStyle::kSelected:
      return A_REVERSE;
    case report::LiveStyle::kFaint:
      return A_DIM;
    case report::LiveStyle::kPlain:
      break;
  }
  return A_NORMAL;
}

std::optional<LiveKey> special_key(wint_t code) {
  if (code > KEY_F(0) && code <= KEY_F(12)) {
    return LiveKey{LiveKey::Kind::kFunction, static_cast<uint32_t>(code - KEY_F(0))};
  }
  switch (code) {
    case KEY_UP:
      return LiveKey{LiveKey::Kind::kUp};
    case KEY_DOWN:
      return LiveKey{LiveKey::Kind::kDown};
    case KEY_PPAGE:
      return LiveKey{LiveKey::Kind::kPageUp};
    case KEY_NPAGE:
      return LiveKey{LiveKey::Kind::kPageDown};
    case KEY_HOME:
      return LiveKey{LiveKey::Kind::kHome};
    case KEY_END:
      return LiveKey{LiveKey::Kind::kEnd};
    case KEY_ENTER:
      return LiveKey{LiveKey::Kind::kEnter};
    case KEY_BACKSPACE:
      return LiveKey{LiveKey::Kind::kBackspace};
    default:
      return std::nullopt;
  }
}

LiveKey character_key(wint_t code) {
  if (code == L'\n' || code == L'\r') return {LiveKey::Kind::kEnter};
  if (code == 0x7f || code == 0x08) return {LiveKey::Kind::kBackspace};
  if (code == 0x1b) return {LiveKey::Kind::kEscape};
  return {LiveKey::Kind::kCharacter, static_cast<uint32_t>(code)};
}

}  // namespace

Result<std::unique_ptr<Terminal>> Terminal::open() {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1) {
    return Error{"top needs a terminal; for scripts there is top --once --plain"};
  }
  use_unicode();
  SCREEN* screen = ::newterm(nullptr, stdout, stdin);
  if (screen == nullptr) {
    return Error{"the terminal is not known: set TERM, or use top --once --plain"};
  }
  ::set_term(screen);
  ::cbreak();
  ::noecho();
  ::set_escdelay(kEscapeDelayMs);
  ::keypad(stdscr, TRUE);
  ::nodelay(stdscr, TRUE);
  ::curs_set(0);
  return std::unique_ptr<Terminal>(new Terminal(screen));
}

Terminal::~Terminal() {
  ::endwin();
  ::delscreen(static_cast<SCREEN*>(screen_));
}

Terminal::Size Terminal::size() const {
  return {static_cast<std::size_t>(getmaxx(stdscr)), static_cast<std::size_t>(getmaxy(stdscr))};
}

void Terminal::take_new_size() {
  winsize now{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) != 0 || now.ws_row == 0 || now.ws_col == 0) return;
  ::resizeterm(now.ws_row, now.ws_col);
}

std::optional<LiveKey> Terminal::next_key() {
  wint_t code = 0;
  while (true) {
    const int kind = ::wget_wch(stdscr, &code);
    if (kind == ERR) return std::nullopt;
    if (kind != KEY_CODE_YES) return character_key(code);
    if (const auto key = special_key(code)) return key;
  }
}

void Terminal::draw(const report::LiveScreen& screen) {
  ::werase(stdscr);
  int row = 0;
  for (const report::LiveLine& line : screen.lines) {
    const std::wstring text = wide(line.text);
    ::wattr_set(stdscr, attributes(line.style), 0, nullptr);
    ::wmove(stdscr, row++, 0);
    ::waddnwstr(stdscr, text.c_str(), static_cast<int>(text.size()));
  }
  ::wattr_set(stdscr, A_NORMAL, 0, nullptr);
  ::wrefresh(stdscr);
}

}  // namespace pyprof::cli
