// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/bench/figures.h"
#include "tests/bench/interpreters.h"

// A host that builds something big: compilers, assemblers, linkers, shells and scripts, most of
// them gone after a moment. How many of their stacks reach the root, by program and by reason.
namespace pyprof::bench {

Result<void> measure_machine(const Paths& paths, bool quick, Figures& figures);

}  // namespace pyprof::bench
