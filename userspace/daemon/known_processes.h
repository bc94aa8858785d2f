// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/model/process.h"

// What a running daemon knows of the processes it samples, for `ps` and `doctor`.
namespace pyprof::daemon {

// By pid. Set are python (reason and detail alone) and coverage.
using KnownProcesses = std::map<int32_t, model::ProcessInfo>;

// The payload of the control verb "processes", JSON; at most 65,536 processes.
[[nodiscard]] std::string encode_processes(const std::vector<model::ProcessInfo>& processes);
[[nodiscard]] Result<KnownProcesses> decode_processes(std::string_view payload);

// Empty if no daemon runs, if we may not ask it or if it does not answer within two seconds.
[[nodiscard]] KnownProcesses ask_processes(const std::string& control_socket);

// `found` (from the process's files) with what the daemon says of the same pid.
void add_known(const KnownProcesses& known, model::ProcessInfo& found);

}  // namespace pyprof::daemon
