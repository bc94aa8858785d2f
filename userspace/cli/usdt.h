// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"
#include "userspace/cli/probes.h"
#include "userspace/model/usdt.h"

namespace pyprof::cli {

// Where CPython's probes of its collector and of imports are in processes. The points name `files`
// by descriptor: keep them open until the points are attached.
struct UsdtPlan {
  std::vector<Fd> files;
  std::vector<model::UsdtPoint> points;
};

// Finds the points of `probes` in the file of the process that they were read from. Adds nothing
// for probes that have only one of begin and end.
[[nodiscard]] Result<void> add_points(int32_t pid, const std::vector<UsdtProbe>& probes,
                                      UsdtPlan& plan);

// Runs pyebpf-usdt for each process. kNotSupported if one of them has none of the probes.
[[nodiscard]] Result<UsdtPlan> plan_usdt(const std::vector<int32_t>& pids);

}  // namespace pyprof::cli
