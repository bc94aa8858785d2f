// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/clock.h"

#include <ctime>

namespace pyprof {
namespace {

int64_t read_clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

uint64_t monotonic_ns() {
  return static_cast<uint64_t>(read_clock_ns(CLOCK_MONOTONIC));
}

uint64_t boottime_ns() {
  return static_cast<uint64_t>(read_clock_ns(CLOCK_BOOTTIME));
}

int64_t realtime_ns() {
  return read_clock_ns(CLOCK_REALTIME);
}

}  // namespace pyprof
