// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/bench/figures.h"
#include "tests/bench/interpreters.h"

// What the service itself takes: start, CPU, memory, context switches. Whole host at 99 Hz with one
// busy Python process. To be measured first: memory is that of this process.
namespace pyprof::bench {

Result<void> measure_footprint(const Paths& paths, const Interpreter& interpreter, bool quick,
                               Figures& figures);

}  // namespace pyprof::bench
