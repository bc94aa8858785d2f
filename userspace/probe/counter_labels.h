// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "bpf/wire.h"

// The kernel's counters and what to call them: one list in wire.h makes the enums, the labels of
// the metrics and their help texts.
namespace pyprof::probe {

struct CounterLabel {
  std::string_view label;
  std::string_view help;
};

// Indexed by enum wire_outcome and enum wire_fault; fault 0 is "none".
[[nodiscard]] std::span<const CounterLabel> outcome_labels();
[[nodiscard]] std::span<const CounterLabel> fault_labels();

// wire_counters summed over CPUs. Only ever grows while the programs stay loaded.
struct Counters {
  wire_counters values{};

  Counters& operator+=(const wire_counters& other);
  bool operator==(const Counters& other) const;
};

// `per_cpu`: one element per possible CPU, as a per-CPU map look-up gives them.
[[nodiscard]] Counters sum_counters(std::span<const wire_counters> per_cpu);

// What was added between two readings. A counter that went back reads as 0, not as a huge number.
[[nodiscard]] Counters operator-(const Counters& later, const Counters& earlier);

}  // namespace pyprof::probe
