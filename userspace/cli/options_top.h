// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "userspace/cli/options.h"

// The words of `top`.
namespace pyprof::cli {

// As they were typed, before they are checked.
struct TopWords {
  std::vector<std::string> pids;
};

// `options` and `words` outlive the parsing.
[[nodiscard]] CLI::App* add_top(CLI::App& app, TopOptions& options, TopWords& words);
[[nodiscard]] Result<void> check_top(TopOptions& options, const TopWords& words);

}  // namespace pyprof::cli
