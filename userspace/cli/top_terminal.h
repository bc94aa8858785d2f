// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "userspace/base/result.h"
#include "userspace/report/live_screen.h"

namespace pyprof::cli {

// The screen, by ncurses. It is given back as it was when the object goes. One at a time, one
// thread.
class Terminal {
 public:
  // Fails if there is none, or one that nobody has described (TERM).
  [[nodiscard]] static Result<std::unique_ptr<Terminal>> open();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  struct Size {
    std::size_t columns = 0;
    std::size_t rows = 0;
  };
  [[nodiscard]] Size size() const;
  // After SIGWINCH.
  void take_new_size();

  // The next key that was pressed; does not wait.
  [[nodiscard]] std::optional<report::LiveKey> next_key();
  void draw(const report::LiveScreen& screen);

 private:
  explicit Terminal(void* screen) : screen_(screen) {}

  void* screen_;  // ncurses' SCREEN, whose header defines too many words to be included here
};

}  // namespace pyprof::cli
