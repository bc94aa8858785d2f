// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// The three clocks in use, in nanoseconds. Kernel records carry CLOCK_MONOTONIC, start times of
// processes CLOCK_BOOTTIME, and only what a person or a file reads carries CLOCK_REALTIME.
namespace pyprof {

[[nodiscard]] uint64_t monotonic_ns();
[[nodiscard]] uint64_t boottime_ns();
[[nodiscard]] int64_t realtime_ns();

}  // namespace pyprof
