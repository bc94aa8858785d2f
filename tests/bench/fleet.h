// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/bench/figures.h"
#include "tests/bench/interpreters.h"

// A host full of other people's programs: many distinct files in many processes, and one that is
// very big. What the tables of all of them take, how soon they are there, what is left on a
// restart.
namespace pyprof::bench {

Result<void> measure_fleet(const Paths& paths, bool quick, Figures& figures);

}  // namespace pyprof::bench
