// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/model/profile.h"

// What became cheaper or dearer from one profile to another.
namespace pyprof::report {

// What a side's CPU time is divided by, so that both can be compared.
enum class DiffUnit : uint8_t {
  kWall,  // seconds of the profile: cores
  kCpu,   // CPU time of the profile: percent of it
  kWork,  // units of work done: CPU-seconds each
};

struct DiffOptions {
  DiffUnit unit = DiffUnit::kWall;
  double work_before = 1;  // units of work, kWork only
  double work_after = 1;
  std::size_t limit = 20;  // rows of each table
  bool full_paths = false;
};

// A figure of both sides in the unit. The interval takes samples for independent: for fixed-rate
// sampling it is rather too wide.
struct Change {
  double before = 0;
  double after = 0;
  double margin = 0;  // half of the 95 % interval of `after - before`
  uint64_t samples_before = 0;
  uint64_t samples_after = 0;
  [[nodiscard]] double delta() const { return after - before; }
  [[nodiscard]] bool significant() const { return delta() > margin || -delta() > margin; }
};

struct DiffRow {
  std::string name;   // function; of a call "caller -> callee"; package
  std::string place;  // file, file:line, [module]
  Change change;
};

struct Diff {
  DiffUnit unit = DiffUnit::kWall;
  Change total;
  // Of the whole CPU time after to before in the unit, with its 95 % interval; 1 for kCpu.
  double ratio = 1, ratio_low = 1, ratio_high = 1;
  double cores_before = 0;  // 0 = the profile doesn't know its time
  // Each by the size of the change, then by name.
  std::vector<DiffRow> self, totals, lines, calls, packages;
};

// Profiles that went through aggregate::apply_view(). kUsage if they can't be compared in the unit:
// one has no times, or no samples.
[[nodiscard]] Result<Diff> compare(const model::Profile& before, const model::Profile& after,
                                   const DiffOptions& options);

}  // namespace pyprof::report
