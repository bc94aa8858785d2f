// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace pyprof {

// Leaves a process that was just forked to read what strangers wrote with nothing but arithmetic
// and what it is sent: of all descriptors only `socket` stays (standard ones lead to /dev/null), it
// dies with its parent's thread, has no privileges, lowest but some priority and may allocate
// `memory_bytes` more than it has. System calls that open, start or signal anything fail with EPERM
// from then on. Returns the socket's new number; -1 if it could not be done, then the process must
// exit.
int enter_sandbox(int socket, std::size_t memory_bytes);

}  // namespace pyprof
