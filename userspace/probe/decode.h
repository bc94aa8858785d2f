// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "bpf/wire.h"
#include "userspace/model/process.h"

// Ring bytes to records. Only shapes are checked here: what a program counter or a code object
// means is for process/ and python/, which rank higher. Spans point into the bytes that were given.
namespace pyprof::probe {

struct TickRecord {
  wire_tick tick;
  uint64_t task = 0;  // if WIRE_TICK_TASK
};

// Frames are innermost first.
struct StackRecord {
  wire_stack head;
  std::span<const uint64_t> kernel;
  std::span<const wire_native> native;
  std::span<const wire_python> python;
  std::span<const uint8_t> piece;
};

// A code object. `payload` starts with the qualname's, the file name's and the line table's bytes,
// of the lengths that the head says; they are all within it.
struct CodeBytes {
  wire_code head;
  std::span<const uint8_t> payload;
};

using Record = std::variant<TickRecord, StackRecord, CodeBytes, wire_task, model::ProcessEvent>;

// What the flags of a tick, and the task behind it, say of its thread.
[[nodiscard]] model::RawLabels labels_of(uint32_t tick_flags, uint64_t task);

// Why bytes were no record.
enum class Malformed : uint8_t {
  kShort,      // fewer bytes than its type or its own counts need
  kUnaligned,  // not at a multiple of 8 bytes, as every ring record is
  kType,       // a type or kind that is not in wire.h
  kLimit,      // a count or length above its limit in wire.h
};
inline constexpr std::size_t kMalformedKinds = 4;

// Stateless but for its counters; one per reading thread.
class Decoder {
 public:
  // One record as the ring gave it. nullopt: malformed, and counted.
  std::optional<Record> decode(std::span<const uint8_t> bytes);

  // Also for the task iterator, which prints the same struct.
  std::optional<model::ProcessEvent> decode_process(std::span<const uint8_t> bytes);

  [[nodiscard]] uint64_t malformed(Malformed why) const {
    return malformed_[static_cast<std::size_t>(why)];
  }
  [[nodiscard]] uint64_t malformed() const;

 private:
  std::array<uint64_t, kMalformedKinds> malformed_{};
};

}  // namespace pyprof::probe
