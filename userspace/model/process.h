// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/model/process_status.h"
#include "userspace/model/sample.h"

// Processes, their executable files and what happens to them.
namespace pyprof::model {

// How one executable file is recognised, whatever its path.
struct FileKey {
  uint64_t device = 0;  // makedev() as in stat
  uint64_t inode = 0;
  uint64_t inode_generation = 0;  // 0 where unknown
  bool operator==(const FileKey&) const = default;
};

// An executable mapping of a process.
struct Mapping {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t file_offset = 0;
  FileKey file;
  std::string build_id;  // raw bytes, empty where the kernel did not say
  std::string path;      // as the kernel prints it; "[vdso]", "//anon", ...
};

// From the kernel's side band, in order of time.
struct ProcessEvent {
  enum class Kind : uint8_t { kFork, kExec, kExit, kScan, kMmap, kComm, kLost };
  Kind kind = Kind::kLost;
  uint64_t time_ns = 0;  // CLOCK_MONOTONIC
  int32_t pid = 0;
  int32_t tid = 0;
  ProcessId process = 0;         // kFork, kExec, kExit, kScan
  ProcessId parent_process = 0;  // kFork
  int32_t parent_pid = 0;        // kFork
  int32_t namespace_pid = 0;     // in the process's own PID namespace
  uint64_t start_ns = 0;         // CLOCK_BOOTTIME start of the process
  uint64_t exec_id = 0;
  uint64_t cgroup_id = 0;
  uint64_t stack_top = 0;
  bool kernel_thread = false;
  std::string comm;
  Mapping mapping;          // kMmap
  uint64_t lost_count = 0;  // kLost: records the kernel could not deliver
};

// Where a process runs, from its cgroup.
struct ContainerIdentity {
  std::string id;  // 64 hex digits; empty = not in a container
  std::string
      runtime;  // docker, containerd, crio, podman, runc, nspawn, kubernetes; empty = unknown
  std::string pod_uid;
  std::string unit;  // systemd unit ("nginx.service"), empty = none
  std::string cgroup_path;
};

// What a report says of a process.
struct ProcessInfo {
  ProcessId process = 0;
  int32_t pid = 0;
  int32_t namespace_pid = 0;
  std::string comm;
  std::string exe;                   // path in the process's own view
  std::vector<std::string> command;  // argv; never exported by default
  ContainerIdentity container;
  uint16_t python_version = 0;      // major << 8 | minor, 0 = not Python
  std::string python_full_version;  // "3.12.1"
  PythonDetails python;             // if it runs CPython
  Coverage coverage;                // of the window, or of the last one that had samples
};

// An executable file as reports and pprof name it.
struct FileInfo {
  FileId id = 0;
  std::string path;
  std::string build_id;  // lower-case hex, empty = none
};

}  // namespace pyprof::model
