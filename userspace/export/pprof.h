// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/base/result.h"
#include "userspace/model/profile.h"

namespace pyprof::exporter {

// The profile in pprof's format (profile.proto, gzip). Values of a sample: samples/count and
// cpu/nanoseconds; labels: pid, tid, thread, comm, container and, where they are known, gil
// (held, released, wanted, free-threaded), gc (running, idle), import (running, idle), interpreter
// and task. Every location has a function, so that no reader tries to symbolize again; native ones
// keep their address and mapping with build id. The same profile gives the same bytes. Give it a
// profile that went through aggregate::apply_view().
[[nodiscard]] Result<std::string> to_pprof(const model::Profile& profile);

}  // namespace pyprof::exporter
