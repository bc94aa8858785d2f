// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "userspace/cli/options.h"

// The words of `dump`.
namespace pyprof::cli {

// As they were typed, before they are checked.
struct DumpWords {
  std::string pid;
  bool native = false;
};

// `options` and `words` outlive the parsing.
[[nodiscard]] CLI::App* add_dump(CLI::App& app, DumpOptions& options, DumpWords& words);
[[nodiscard]] Result<void> check_dump(DumpOptions& options, const DumpWords& words);

}  // namespace pyprof::cli
