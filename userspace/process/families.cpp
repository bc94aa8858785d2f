// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "userspace/process/proc_fs.h"

namespace pyprof::process {

std::vector<int32_t> families(const ProcFs& proc, const std::vector<int32_t>& pids) {
  std::multimap<int32_t, int32_t> children;
  for (const int32_t pid : proc.pids()) {
    if (const auto stat = proc.stat(pid)) children.emplace(stat->parent_pid, pid);
  }
  std::set<int32_t> found;
  std::vector<int32_t> pending = pids;
  while (!pending.empty()) {
    const int32_t pid = pending.back();
    pending.pop_back();
    if (!found.insert(pid).second) continue;
    const auto [first, last] = children.equal_range(pid);
    std::transform(first, last, std::back_inserter(pending),
                   [](const auto& entry) { return entry.second; });
  }
  return {found.begin(), found.end()};
}

}  // namespace pyprof::process
