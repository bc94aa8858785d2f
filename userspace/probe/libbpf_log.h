// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace pyprof::probe {

// libbpf prints its warnings, the verifier's log among them, to stderr unless told otherwise: from
// now on the last 8 KiB of them are kept.
void capture_libbpf_log();

// The lines that say most of what was kept, on one line, and forgets it.
std::string take_libbpf_log();

}  // namespace pyprof::probe
