// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

#include "userspace/model/labels.h"

namespace pyprof::engine {

// Names of asyncio tasks by the kernel's id. Bounded: once there are too many, those not used since
// the last time are forgotten; the kernel sends a name again within 8.6 s. One thread.
class TaskNames {
 public:
  static constexpr std::size_t kMaxNames = 16'384;  // in each of the two halves

  void add(model::TaskName name) { keep(name.id, std::move(name.name)); }

  // Empty = not known. Valid until the next call.
  std::string_view find(model::TaskId id) {
    const auto recent = recent_.find(id);
    if (recent != recent_.end()) return recent->second;
    const auto older = older_.find(id);
    if (older == older_.end()) return {};
    return keep(id, std::move(older->second));
  }

 private:
  std::string_view keep(model::TaskId id, std::string name) {
    if (recent_.size() >= kMaxNames) {
      older_.swap(recent_);
      recent_.clear();
    }
    return recent_[id] = std::move(name);
  }

  std::unordered_map<model::TaskId, std::string> recent_;
  std::unordered_map<model::TaskId, std::string> older_;
};

}  // namespace pyprof::engine
