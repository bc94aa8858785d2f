// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <future>
#include <memory>
#include <variant>
#include <vector>

#include "userspace/base/queue.h"
#include "userspace/model/sample.h"

// What the collecting thread hands to the symbolizing one, in order of time.
namespace pyprof::engine {

struct ProcessEnded {
  model::ProcessId process = 0;
  uint64_t time_ns = 0;
};

// Everything that was handed over before it has been dealt with once the promise is set.
struct Barrier {
  std::shared_ptr<std::promise<void>> passed;
};

using Item = std::variant<model::RawSample, model::RawStack, model::CodeObject, model::TaskName,
                          ProcessEnded, Barrier>;
using Batch = std::vector<Item>;
using BatchQueue = BoundedQueue<Batch>;

}  // namespace pyprof::engine
