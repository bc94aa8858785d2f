// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/model/usdt.h"
#include "userspace/probe/link.h"

struct pyebpf;

// USDT probes as uprobes. The kernel writes a breakpoint at each point and counts up the probe's
// semaphore in the process's memory for as long as the links live: only done when asked for.
namespace pyprof::probe {

// Before the programs are loaded: they are, and have room.
void prepare_usdt(pyebpf& skeleton);

// Attaches, and has the sampler tell the state of the processes' threads. The end of a span before
// its begin: no thread is left marked. The kernel's file look-up and breakpoints can block.
Result<std::vector<Link>> attach_usdt(pyebpf& skeleton, std::span<const model::UsdtPoint> points);

}  // namespace pyprof::probe
