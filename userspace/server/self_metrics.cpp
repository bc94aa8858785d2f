// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "userspace/base/clock.h"
#include "userspace/server/metrics.h"

namespace pyprof::server {
namespace {

double to_seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return to_seconds(usage.ru_utime) + to_seconds(usage.ru_stime);
}

double own_resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t size_pages = 0;
  uint64_t resident_pages = 0;
  statm >> size_pages >> resident_pages;
  return static_cast<double>(resident_pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double own_open_fds() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), ::closedir);
  if (!directory) return 0;
  int count = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] != '.') ++count;
  }
  return count - 1;  // without the directory itself
}

double own_max_fds() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

// Field 22 of /proc/self/stat counts from boot. The name in field 2 may hold blanks and brackets,
// so fields are counted after its last bracket.
double own_start_seconds() {
  std::ifstream stat("/proc/self/stat");
  std::string line;
  std::getline(stat, line);
  const std::size_t bracket = line.rfind(')');
  if (bracket == std::string::npos) return 0;
  std::istringstream fields(line.substr(bracket + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field)
    fields >> skipped;
  double start_ticks = 0;
  fields >> start_ticks;
  const double now_seconds = static_cast<double>(realtime_ns()) / 1e9;
  const double uptime_seconds = static_cast<double>(boottime_ns()) / 1e9;
  return now_seconds - uptime_seconds + start_ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

void MetricsSnapshot::add_self() {
  // Read once: computed again, it would move with every adjustment of the clock.
  static const double start_seconds = own_start_seconds();
  add(Metric::kSelfCpu, {}, own_cpu_seconds());
  add(Metric::kSelfResident, {}, own_resident_bytes());
  add(Metric::kSelfOpenFds, {}, own_open_fds());
  add(Metric::kSelfMaxFds, {}, own_max_fds());
  add(Metric::kSelfStartTime, {}, start_seconds);
}

}  // namespace pyprof::server
