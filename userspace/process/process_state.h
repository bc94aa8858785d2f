// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "userspace/model/process.h"
#include "userspace/process/address_space.h"

namespace pyprof::process {

// An AddressSpace that forked children share with their parent until one of them changes it: a
// server with a thousand workers has its mappings once. One thread.
class SharedSpace {
 public:
  SharedSpace() : space_(std::make_shared<AddressSpace>()) {}
  explicit SharedSpace(AddressSpace space)
      : space_(std::make_shared<AddressSpace>(std::move(space))) {}

  [[nodiscard]] const AddressSpace& read() const { return *space_; }
  AddressSpace& write() {
    if (space_.use_count() > 1) space_ = std::make_shared<AddressSpace>(*space_);
    return *space_;
  }
  // For what is true of all that share it, such as which file lies where.
  AddressSpace& write_for_all() { return *space_; }

 private:
  // Shared because parent and children die in any order.
  std::shared_ptr<AddressSpace> space_;
};

// One generation of a process: from fork, exec or first sight to exec or exit.
struct ProcessState {
  model::ProcessId process = 0;  // 0: in the middle of exec, the kernel has not named it yet
  model::ProcessId parent = 0;   // generation that forked it, 0 = unknown
  int32_t pid = 0;
  int32_t parent_pid = 0;
  int32_t namespace_pid = 0;
  uint64_t start_ns = 0;   // CLOCK_BOOTTIME, of the process, not of this generation
  uint64_t since_ns = 0;   // CLOCK_MONOTONIC, of this generation
  uint64_t exited_ns = 0;  // CLOCK_MONOTONIC, 0 = alive
  uint64_t exec_id = 0;
  uint64_t cgroup_id = 0;
  uint64_t stack_top = 0;
  bool kernel_thread = false;
  bool mappings_known = false;                            // false: /proc has to be read
  bool changed = false;                                   // Tracker's own
  std::string comm;                                       // of the main thread
  std::unordered_map<int32_t, std::string> thread_comms;  // of threads that named themselves
  SharedSpace space;
};

}  // namespace pyprof::process
