// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/base/fd.h"
#include "userspace/base/result.h"

// The rights that are left to the code that parses other people's files.
namespace pyprof::usdt {

// The file under a descriptor whose path in /proc/self/fd can still be opened after enter(): the
// same one if everybody may read it, else a copy in memory of at most 256 MiB.
[[nodiscard]] Result<Fd> make_readable(Fd file);

// For good: no capability, a user id that owns nothing, no new privileges, no new processes, no
// file that grows, at most 2 GiB of memory and 10 s of CPU, and an end after 15 s. Standard error
// goes nowhere, because BCC writes there what it thinks of a file. Without root only the limits.
[[nodiscard]] Result<void> enter_sandbox();

}  // namespace pyprof::usdt
