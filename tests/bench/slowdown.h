// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/bench/figures.h"
#include "tests/bench/interpreters.h"

// How much slower a CPU-bound Python loop gets: windows without, with and without the profiler,
// each profiled one compared with the mean of its neighbours.
namespace pyprof::bench {

Result<void> measure_slowdown(const Paths& paths, const Interpreter& interpreter, bool quick,
                              Figures& figures);

}  // namespace pyprof::bench
