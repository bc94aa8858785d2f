// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace pyprof {

// For the calling thread: it gets a CPU soon after it wakes up, also where all are busy. For
// threads whose short work others wait for. Without the right to it (CAP_SYS_NICE) nothing changes.
void be_prompt();

}  // namespace pyprof
