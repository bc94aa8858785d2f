// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "bpf/wire.h"
#include "userspace/elf/cfi_program.h"

// The 32-bit rule of bpf/wire.h for a state of the CFI machine.
namespace pyprof::elf {

using Unsupported = std::map<std::string, uint64_t>;

// Distances of the saved rbp below the CFA, in units of 8.
inline constexpr uint32_t kRbpNotSaved = 0;
inline constexpr uint32_t kRbpAtRbp = 63;

constexpr uint32_t make_rule(wire_rule_base base, int32_t offset_units = 0,
                             uint32_t saved_rbp = 0) {
  return static_cast<uint32_t>(base) | saved_rbp << 4 | static_cast<uint32_t>(offset_units) << 10;
}

// What has no rule becomes WIRE_RULE_OTHER and is counted by kind in `unsupported`.
uint32_t rule_of(const CfiState& state, bool signal_frame, Unsupported& unsupported);

}  // namespace pyprof::elf
