// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace pyprof::model {

// A place in a process's code at which a USDT probe of CPython is to be attached.
struct UsdtPoint {
  enum class Event : uint8_t { kGcStart, kGcDone, kImportStart, kImportDone };

  Event event = Event::kGcStart;
  int32_t pid = 0;
  std::string path;               // of the file in our own view, followed by the kernel
  uint64_t offset = 0;            // of the probe's instruction in the file
  uint64_t semaphore_offset = 0;  // of its counter in the file; 0 = it has none
};

}  // namespace pyprof::model
