// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pyprof::account {

// Shares `total` out in proportion to `weights`, in whole units that add up to `total` exactly:
// each share is rounded down and the units left go to the largest remainders, the first of equals
// first. Without weight (none, or all zero) every share is 0 and the caller owns the rest.
[[nodiscard]] std::vector<uint64_t> split(uint64_t total, std::span<const uint64_t> weights);

}  // namespace pyprof::account
