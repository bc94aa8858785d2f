// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

// What a sample says beside its stack.
namespace pyprof::model {

enum class Gil : uint8_t {
  kUnknown,  // no Python thread, or its state could not be read
  kHeld,
  kReleased,      // runs without the GIL
  kWanted,        // waits for it
  kFreeThreaded,  // runs Python without a GIL
};

// Whether the thread itself was in the cyclic garbage collector.
enum class Gc : uint8_t { kUnknown, kIdle, kRunning };

// Whether the thread was importing a module; known only where USDT probes are attached.
enum class Import : uint8_t { kUnknown, kIdle, kRunning };

using TaskId = uint64_t;  // equal names of asyncio tasks have the same

// As the kernel sends them: cheap to copy and compare.
struct RawLabels {
  static constexpr uint16_t kMaxInterpreter = 0xffff;  // this id or a higher one

  Gil gil = Gil::kUnknown;
  Gc gc = Gc::kUnknown;
  bool has_interpreter = false;
  bool has_task = false;  // an asyncio task runs; `task` 0 = its name could not be read
  uint16_t interpreter = 0;
  TaskId task = 0;
  Import import = Import::kUnknown;
  bool operator==(const RawLabels&) const = default;
};

// The name of an asyncio task as the kernel captured it.
struct TaskName {
  TaskId id = 0;
  uint64_t time_ns = 0;
  std::string name;  // UTF-8
};

// As a profile holds them.
struct Labels {
  Gil gil = Gil::kUnknown;
  Gc gc = Gc::kUnknown;
  int32_t interpreter = -1;  // -1 = unknown
  bool has_task = false;
  std::string task;  // empty although there is one: its name could not be read
  Import import = Import::kUnknown;
  bool operator==(const Labels&) const = default;
};

}  // namespace pyprof::model
