// SPDX-License-Identifier: Apache-2.0
#include "userspace/account/split.h"

#include <algorithm>
#include <numeric>

namespace pyprof::account {
namespace {

__extension__ using Wide = unsigned __int128;  // total * weight does not fit in 64 bits

}  // namespace

std::vector<uint64_t> split(uint64_t total, std::span<const uint64_t> weights) {
  std::vector<uint64_t> shares(weights.size(), 0);
  const Wide sum = std::accumulate(weights.begin(), weights.end(), Wide{0});
  if (sum == 0) return shares;

  std::vector<Wide> remainders(weights.size());
  uint64_t left = total;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Wide product = Wide{total} * weights[i];
    shares[i] = static_cast<uint64_t>(product / sum);
    remainders[i] = product % sum;
    left -= shares[i];
  }
  // Fewer units are left than there are non-zero remainders.
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
  for (uint64_t i = 0; i < left; ++i)
    ++shares[order[i]];
  return shares;
}

}  // namespace pyprof::account
