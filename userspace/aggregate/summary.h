// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "userspace/model/profile.h"

// The figures that stand at the head of every output of a profile.
namespace pyprof::aggregate {

struct Summary {
  uint64_t samples = 0;
  uint64_t weight_ns = 0;    // CPU time by samples
  uint64_t measured_ns = 0;  // CPU time by the scheduler, 0 = not measured
  [[nodiscard]] uint64_t cpu_ns() const { return measured_ns > 0 ? measured_ns : weight_ns; }
};

[[nodiscard]] Summary summarize(const model::Profile& profile);

// What a sample counts for when shares are made: its weight; its count where no sample of the
// profile has a weight.
[[nodiscard]] uint64_t sample_value(const model::Sample& sample, const Summary& summary);

// "lost 0, truncated 3 (0.05 %), unsymbolised 0": shares of the samples (lost: of all ticks due). A
// word more where the profile has kernel frames and no name for any of them (kernel.kptr_restrict).
[[nodiscard]] std::string quality_text(const model::Profile& profile);

// "pid 4242 python", "3 processes", "no process"
[[nodiscard]] std::string subject_text(const model::Profile& profile);

[[nodiscard]] std::string with_thousands(uint64_t value);     // 5,812
[[nodiscard]] std::string utc_text(int64_t unix_ns);          // 2026-11-22T13:00:00Z
[[nodiscard]] double percent(uint64_t part, uint64_t whole);  // 0 where whole is 0
[[nodiscard]] double seconds(uint64_t ns);

}  // namespace pyprof::aggregate
