// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/model/process.h"

// Bounded readers of /proc. A process may vanish between any two calls: every function then gives
// an Error with ExitCode::kNoProcess. Nothing here opens a file of the profiled process.
namespace pyprof::process {

// What /proc/PID/stat says, of what is used.
struct ProcessStat {
  std::string comm;
  char state = '?';  // 'Z' and 'X': exited, only its entry is left
  int32_t parent_pid = 0;
  uint64_t user_ticks = 0;  // clock ticks of sysconf(_SC_CLK_TCK), all threads
  uint64_t system_ticks = 0;
  uint32_t threads = 0;
  uint64_t start_ticks = 0;  // since boot
};

struct ExecutableMappings {
  std::vector<model::Mapping> mappings;  // by address, none overlapping
  bool complete = true;                  // false: a cap was hit
};

class ProcFs {
 public:
  static constexpr std::size_t kMaxCommandBytes = 32 * 1024;
  static constexpr std::size_t kMaxArguments = 1024;
  static constexpr std::size_t kMaxThreads = 4096;
  static constexpr std::size_t kMaxMapsBytes = 64 * 1024 * 1024;

  explicit ProcFs(std::string root = "/proc") : root_(std::move(root)) {}

  // All process ids, ascending; empty if the directory can't be read.
  [[nodiscard]] std::vector<int32_t> pids() const;
  // Thread ids of a process, ascending, at most kMaxThreads; empty if it is gone.
  [[nodiscard]] std::vector<int32_t> threads(int32_t pid) const;
  [[nodiscard]] Result<ProcessStat> stat(int32_t pid) const;
  // Path in the process's own view, with " (deleted)" if it was. Kernel threads and zombies have
  // none: kNoProcess.
  [[nodiscard]] Result<std::string> exe(int32_t pid) const;
  // argv, cut at kMaxCommandBytes and kMaxArguments; empty for kernel threads and zombies. The
  // kernel reads it from the process's anonymous memory only, so a page on FUSE can't block it.
  [[nodiscard]] Result<std::vector<std::string>> command(int32_t pid) const;
  // The pid in the innermost PID namespace of the process; also for a thread id.
  [[nodiscard]] Result<int32_t> namespace_pid(int32_t pid) const;
  // The effective user id, as we see it.
  [[nodiscard]] Result<uint32_t> user_id(int32_t pid) const;
  [[nodiscard]] Result<ExecutableMappings> maps(int32_t pid) const;
  // Text of /proc/PID/cgroup.
  [[nodiscard]] Result<std::string> cgroup(int32_t pid) const;
  // Text of /proc/PID/mountinfo; "self" for pid 0.
  [[nodiscard]] Result<std::string> mountinfo(int32_t pid) const;
  // Inode of a namespace ("pid", "mnt", "net", ...): equal inodes are the same namespace.
  [[nodiscard]] Result<uint64_t> namespace_inode(int32_t pid, std::string_view kind) const;

  // root/PID/name; "self" for pid 0.
  [[nodiscard]] std::string path(int32_t pid, std::string_view name) const;
  [[nodiscard]] const std::string& root() const { return root_; }

 private:
  [[nodiscard]] Result<std::string> read(int32_t pid, std::string_view name,
                                         std::size_t max_bytes) const;

  std::string root_;
};

// The processes and all that came from them and is still there, ascending.
[[nodiscard]] std::vector<int32_t> families(const ProcFs& proc, const std::vector<int32_t>& pids);

// "what of process PID: why"; a missing file or process becomes kNoProcess.
Error process_error(int32_t pid, std::string_view what, int errno_value);

}  // namespace pyprof::process
