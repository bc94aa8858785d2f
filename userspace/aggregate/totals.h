// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "userspace/model/profile.h"

// Running totals of samples per container and per group of processes, without any pid: what metrics
// are made of. Counters only grow. Not thread-safe: one thread owns a Totals.
namespace pyprof::aggregate {

// A name for all processes that run the same program: the script or module of a Python process,
// else the file name of the executable, else the comm. Clean text of at most 128 bytes, never
// arguments.
[[nodiscard]] std::string process_group(const model::ProcessInfo& process);

class Totals {
 public:
  struct Counts {
    uint64_t samples = 0;
    uint64_t weight_ns = 0;
    uint64_t measured_ns = 0;  // CPU time by the scheduler
  };
  struct GroupKey {
    std::string group;
    std::string container;  // id, empty = none
    bool python = false;
    auto operator<=>(const GroupKey&) const = default;
  };

  // Over a cap, what is new counts for "__other__"; known names keep theirs.
  explicit Totals(std::size_t max_groups = 500, std::size_t max_containers = 500);

  void add(const model::Profile& window);

  [[nodiscard]] const std::map<GroupKey, Counts>& groups() const { return groups_; }
  [[nodiscard]] const std::map<std::string, Counts>& containers() const { return containers_; }

 private:
  const std::size_t max_groups_;
  const std::size_t max_containers_;
  std::map<GroupKey, Counts> groups_;
  std::map<std::string, Counts> containers_;  // by id; "" = outside any container
};

}  // namespace pyprof::aggregate
