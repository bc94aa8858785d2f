// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/bench/figures.h"
#include "tests/bench/interpreters.h"

// What a sample costs in the kernel, by interpreter, depth and rate.
//
// One engine samples all workloads of this section, all but one of which are stopped. In a window
// the kernel's run time of on_cpu_tick grows by that of the workload's samples and by that of ticks
// that hit no workload (idle CPUs, other processes); the latter is measured in windows of their
// own, with all workloads stopped, and the median taken off. Windows go round over the
// configurations, so that a change of the machine's speed hits all alike.
namespace pyprof::bench {

Result<void> measure_sampling_cost(const Paths& paths, const std::vector<Interpreter>& interpreters,
                                   bool quick, Figures& figures);

}  // namespace pyprof::bench
