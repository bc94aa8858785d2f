// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <string_view>

#include "userspace/aggregate/clean_text.h"
#include "userspace/cli/options.h"

namespace pyprof::cli {
namespace {

constexpr int32_t kMaxPid = 4'194'304;  // PID_MAX_LIMIT of 64-bit Linux
constexpr std::size_t kMaxPids = 4'096;

}  // namespace

Result<std::vector<int32_t>> parse_pids(const std::vector<std::string>& words) {
  std::vector<int32_t> pids;
  for (const std::string& word : words) {
    std::string_view rest = word;
    for (bool more = true; more;) {
      const std::size_t comma = rest.find(',');
      const std::string_view text = rest.substr(0, comma);
      int32_t pid = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
      if (error != std::errc{} || end != text.data() + text.size() || pid < 1 || pid > kMaxPid) {
        return Error{"--pid: '" + aggregate::clean_text(text, 80) + "'" + " is not a process id"};
      }
      if (std::find(pids.begin(), pids.end(), pid) == pids.end()) pids.push_back(pid);
      if (pids.size() > kMaxPids) return Error{"--pid: more than 4096 processes; use --all"};
      more = comma != std::string_view::npos;
      if (more) rest.remove_prefix(comma + 1);
    }
  }
  return pids;
}

}  // namespace pyprof::cli
