// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/probe/link.h"

struct bpf_program;

// The timers that drive the sampler.
namespace pyprof::probe {

// Runs `program` on each of the CPUs every `period_ns` of its time, on all at one moment. One link
// per CPU; one that goes offline in between is left out.
Result<std::vector<Link>> attach_clock(bpf_program* program, const std::vector<int>& cpus,
                                       uint64_t period_ns);

}  // namespace pyprof::probe
