// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "userspace/base/fd.h"
#include "userspace/process/proc_fs.h"

// Where cgroups are mounted, and which directory a cgroup id belongs to.
namespace pyprof::process {

enum class CgroupMode : uint8_t {
  kNone,
  kV1,
  kV2,
  kHybrid,  // v1 controllers with v2 mounted beside them, without the CPU controller
};

struct CgroupLayout {
  CgroupMode mode = CgroupMode::kNone;
  std::string v2_mount;       // mount point, empty = not mounted
  std::string cpuacct_mount;  // v1
};

// From the mounts that this process sees.
CgroupLayout detect_cgroups(const ProcFs& proc);

enum class CgroupHierarchy : uint8_t { kV2, kCpuacct };

// cgroup id -> path below the mount point ("/" is the root). An id is the inode of the cgroup's
// directory, which is what bpf_get_current_cgroup_id() gives for v2 and kernfs for v1; ids are
// never reused. A look-up may touch the file system: not for hot paths. One thread.
class CgroupPaths {
 public:
  struct Limits {
    std::size_t max_paths = 65'536;
    std::size_t max_depth = 64;
    std::chrono::nanoseconds scan_interval = std::chrono::seconds(1);
  };
  using Clock = std::chrono::steady_clock;

  CgroupPaths(const CgroupLayout& layout, CgroupHierarchy hierarchy)
      : CgroupPaths(layout, hierarchy, Limits{}) {}
  CgroupPaths(const CgroupLayout& layout, CgroupHierarchy hierarchy, Limits limits);

  // Nothing for an id that never was or whose cgroup went before it was first asked for. A path
  // once found mostly stays known after its cgroup is gone: until the cache is full or a scan.
  std::optional<std::string> find(uint64_t id, Clock::time_point now = Clock::now());

  // Scans of the whole hierarchy; at most one per scan_interval, and none where the kernel lets us
  // open a cgroup by its id (CAP_DAC_READ_SEARCH).
  [[nodiscard]] uint64_t scans() const { return scans_; }
  [[nodiscard]] std::size_t size() const { return paths_.size(); }

 private:
  enum class Opened : uint8_t { kFound, kGone, kNotPossible };

  Opened open_by_id(uint64_t id);
  void scan(Clock::time_point now);
  void scan_directory(Fd directory, const std::string& path, std::size_t depth);
  void remember(uint64_t id, std::string path);

  std::string mount_point_;
  Fd mount_;  // invalid if the hierarchy isn't mounted
  bool opens_by_id_ = false;
  Limits limits_;
  std::unordered_map<uint64_t, std::string> paths_;
  std::optional<Clock::time_point> last_scan_;
  uint64_t scans_ = 0;
};

}  // namespace pyprof::process
