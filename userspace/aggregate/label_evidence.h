// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/model/profile.h"

namespace pyprof::aggregate {

// Settles by the stacks what the interpreter's state leaves open:
// - Before 3.15 CPython doesn't say that a thread waits for the GIL: one without it waits if its
//   stack shows that it is about to take it.
// - `collecting` belongs to the interpreter. While a finalizer or callback of the collector runs
//   Python, other threads may get the GIL: a thread whose stacks never show the collector, in a
//   process where another one's do, doesn't collect.
void settle_labels(model::Profile& profile);

}  // namespace pyprof::aggregate
