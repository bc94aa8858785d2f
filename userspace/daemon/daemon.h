// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "userspace/base/result.h"
#include "userspace/config/config.h"

// `pyebpf-prof daemon`: the stages put together, until a signal ends it.
namespace pyprof::daemon {

// Flags win over the file, also when it is read again.
struct DaemonOptions {
  std::optional<std::string> config_path;  // empty = the default path, which may be missing
  std::optional<std::string> listen;
  std::optional<std::string> control_socket;
};

// The checked configuration with the flags put in.
[[nodiscard]] Result<config::Config> load_config(const DaemonOptions& options);

// Names of what differs between the two and takes effect only by a restart: "limits", ...; empty =
// all of it can be changed while running.
[[nodiscard]] std::string needs_restart(const config::Config& running, const config::Config& next);

// Returns after SIGTERM or SIGINT, or when the kill switch appears; SIGHUP reads the file again.
// Blocks these signals, so call it before any thread is made. Logs to stderr; an error that
// prevents the start is returned, not logged.
[[nodiscard]] Result<void> run(const DaemonOptions& options);

}  // namespace pyprof::daemon
