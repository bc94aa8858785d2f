// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/counter_labels.h"

#include <array>
#include <bit>

namespace pyprof::probe {
namespace {

#define X(name, label, help) CounterLabel{label, help},
constexpr std::array kOutcomeLabels = {WIRE_OUTCOMES(X)};
constexpr std::array kFaultLabels = {CounterLabel{"none", "nothing is missing"}, WIRE_FAULTS(X)};
#undef X
static_assert(kOutcomeLabels.size() == WIRE_OUT_COUNT && kFaultLabels.size() == WIRE_FAULT_COUNT);

// wire_counters has nothing but u64 members, so that it adds up as an array.
using Slots = std::array<uint64_t, sizeof(wire_counters) / sizeof(uint64_t)>;

}  // namespace

std::span<const CounterLabel> outcome_labels() {
  return kOutcomeLabels;
}

std::span<const CounterLabel> fault_labels() {
  return kFaultLabels;
}

Counters& Counters::operator+=(const wire_counters& other) {
  auto sum = std::bit_cast<Slots>(values);
  const auto added = std::bit_cast<Slots>(other);
  for (std::size_t i = 0; i < sum.size(); ++i)
    sum[i] += added[i];
  values = std::bit_cast<wire_counters>(sum);
  return *this;
}

bool Counters::operator==(const Counters& other) const {
  return std::bit_cast<Slots>(values) == std::bit_cast<Slots>(other.values);
}

Counters sum_counters(std::span<const wire_counters> per_cpu) {
  Counters sum;
  for (const auto& one : per_cpu)
    sum += one;
  return sum;
}

Counters operator-(const Counters& later, const Counters& earlier) {
  auto difference = std::bit_cast<Slots>(later.values);
  const auto before = std::bit_cast<Slots>(earlier.values);
  for (std::size_t i = 0; i < difference.size(); ++i) {
    difference[i] = difference[i] > before[i] ? difference[i] - before[i] : 0;
  }
  return {std::bit_cast<wire_counters>(difference)};
}

}  // namespace pyprof::probe
