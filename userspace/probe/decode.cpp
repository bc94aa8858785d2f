// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/decode.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>

namespace pyprof::probe {
namespace {

using model::ProcessEvent;
template <typename T>
using Parsed = std::variant<T, Malformed>;

template <typename T>
T head_of(std::span<const uint8_t> bytes) {
  T head;
  std::memcpy(&head, bytes.data(), sizeof head);
  return head;
}

// The caller has checked the bounds, and that `bytes` is aligned to 8.
template <typename T>
std::span<const T> array_at(std::span<const uint8_t> bytes, std::size_t offset, std::size_t count) {
  static_assert(alignof(T) <= 8);
  return {reinterpret_cast<const T*>(bytes.data() + offset), count};
}

Parsed<Record> parse_tick(std::span<const uint8_t> bytes) {
  if (bytes.size() < sizeof(wire_tick)) return Malformed::kShort;
  TickRecord record{head_of<wire_tick>(bytes)};
  if (!(record.tick.flags & WIRE_TICK_TASK)) return record;
  if (bytes.size() < sizeof(wire_tick) + sizeof(record.task)) return Malformed::kShort;
  record.task = head_of<uint64_t>(bytes.subspan(sizeof(wire_tick)));
  return record;
}

Parsed<Record> parse_task(std::span<const uint8_t> bytes) {
  if (bytes.size() < sizeof(wire_task)) return Malformed::kShort;
  const auto task = head_of<wire_task>(bytes);
  if (task.name.bytes > sizeof(task.text)) return Malformed::kLimit;
  return task;
}

bool within_limits(const wire_stack& head) {
  return head.n_kernel <= WIRE_MAX_KERNEL_FRAMES && head.n_native <= WIRE_MAX_NATIVE_FRAMES &&
         head.n_python <= WIRE_MAX_PYTHON_FRAMES && head.piece_bytes <= WIRE_MAX_PIECE_BYTES &&
         head.native_end < WIRE_FAULT_COUNT && head.python_end < WIRE_FAULT_COUNT;
}

Parsed<Record> parse_stack(std::span<const uint8_t> bytes) {
  if (bytes.size() < sizeof(wire_stack)) return Malformed::kShort;
  const auto head = head_of<wire_stack>(bytes);
  if (!within_limits(head)) return Malformed::kLimit;
  const std::size_t kernel_slots = head.n_kernel + head.n_kernel % 2U;
  const std::size_t native_at = sizeof head + kernel_slots * sizeof(uint64_t);
  const std::size_t python_at = native_at + head.n_native * sizeof(wire_native);
  const std::size_t piece_at = python_at + head.n_python * sizeof(wire_python);
  const std::size_t end = piece_at + head.piece_bytes;
  if (end > head.bytes || head.bytes > bytes.size()) return Malformed::kShort;
  return StackRecord{head, array_at<uint64_t>(bytes, sizeof head, head.n_kernel),
                     array_at<wire_native>(bytes, native_at, head.n_native),
                     array_at<wire_python>(bytes, python_at, head.n_python),
                     bytes.subspan(piece_at, head.piece_bytes)};
}

Parsed<Record> parse_code(std::span<const uint8_t> bytes) {
  if (bytes.size() < sizeof(wire_code)) return Malformed::kShort;
  const auto head = head_of<wire_code>(bytes);
  if (head.qualname.bytes > WIRE_MAX_NAME_BYTES || head.filename.bytes > WIRE_MAX_PATH_BYTES ||
      head.linetable_bytes > WIRE_MAX_LINETABLE_BYTES || head.owner_bytes > WIRE_MAX_OWNER_BYTES) {
    return Malformed::kLimit;
  }
  const auto payload = bytes.subspan(sizeof head);
  const std::size_t needed =
      head.qualname.bytes + head.filename.bytes + head.linetable_bytes + head.owner_bytes;
  if (needed > payload.size()) return Malformed::kShort;
  return CodeBytes{head, payload};
}

std::optional<ProcessEvent::Kind> kind_of(uint16_t kind) {
  switch (kind) {
    case WIRE_PROC_FORK:
      return ProcessEvent::Kind::kFork;
    case WIRE_PROC_EXEC:
      return ProcessEvent::Kind::kExec;
    case WIRE_PROC_EXIT:
      return ProcessEvent::Kind::kExit;
    case WIRE_PROC_SCAN:
      return ProcessEvent::Kind::kScan;
    default:
      return std::nullopt;
  }
}

ProcessEvent process_event(const wire_proc& head, ProcessEvent::Kind kind) {
  ProcessEvent event;
  event.kind = kind;
  event.time_ns = head.time_ns;
  event.pid = event.tid = static_cast<int32_t>(head.tgid);
  event.process = head.proc;
  event.parent_process = head.parent_proc;
  event.parent_pid = static_cast<int32_t>(head.parent_tgid);
  event.namespace_pid = static_cast<int32_t>(head.ns_tgid);
  event.start_ns = head.start_ns;
  event.exec_id = head.exec_id;
  event.cgroup_id = head.cgroup_id;
  event.stack_top = head.stack_top;
  event.kernel_thread = head.is_kernel_thread != 0;
  event.comm.assign(head.comm, std::find(head.comm, head.comm + sizeof head.comm, '\0'));
  return event;
}

Parsed<ProcessEvent> parse_process(std::span<const uint8_t> bytes) {
  if (bytes.size() < sizeof(wire_proc)) return Malformed::kShort;
  const auto head = head_of<wire_proc>(bytes);
  const auto kind = kind_of(head.kind);
  if (head.type != WIRE_TYPE_PROC || !kind) return Malformed::kType;
  return process_event(head, *kind);
}

Parsed<Record> parse(std::span<const uint8_t> bytes) {
  if (bytes.size() < sizeof(uint16_t)) return Malformed::kShort;
  if (reinterpret_cast<uintptr_t>(bytes.data()) % alignof(uint64_t) != 0) {
    return Malformed::kUnaligned;
  }
  switch (head_of<uint16_t>(bytes)) {
    case WIRE_TYPE_TICK:
      return parse_tick(bytes);
    case WIRE_TYPE_STACK:
      return parse_stack(bytes);
    case WIRE_TYPE_CODE:
      return parse_code(bytes);
    case WIRE_TYPE_TASK:
      return parse_task(bytes);
    case WIRE_TYPE_PROC: {
      auto process = parse_process(bytes);
      if (auto* why = std::get_if<Malformed>(&process)) return *why;
      return Record(std::get<ProcessEvent>(std::move(process)));
    }
    default:
      return Malformed::kType;
  }
}

template <typename T>
std::optional<T> counted(Parsed<T> parsed, std::array<uint64_t, kMalformedKinds>& malformed) {
  if (auto* value = std::get_if<T>(&parsed)) return std::move(*value);
  ++malformed[static_cast<std::size_t>(std::get<Malformed>(parsed))];
  return std::nullopt;
}

}  // namespace

model::RawLabels labels_of(uint32_t tick_flags, uint64_t task) {
  static_assert(static_cast<int>(model::Gil::kFreeThreaded) == WIRE_GIL_FREE);
  static_assert(static_cast<int>(model::Gc::kRunning) == WIRE_GC_RUNNING);
  static_assert(static_cast<int>(model::Import::kRunning) == WIRE_GC_RUNNING);
  const uint32_t gil = tick_flags >> WIRE_TICK_GIL_SHIFT & 7;
  const uint32_t gc = tick_flags >> WIRE_TICK_GC_SHIFT & 3;
  model::RawLabels labels;
  if (gil <= WIRE_GIL_FREE) labels.gil = static_cast<model::Gil>(gil);
  if (gc <= WIRE_GC_RUNNING) labels.gc = static_cast<model::Gc>(gc);
  const uint32_t usdt_gc = tick_flags >> WIRE_TICK_USDT_GC_SHIFT & 3;
  const uint32_t import = tick_flags >> WIRE_TICK_USDT_IMPORT_SHIFT & 3;
  if (usdt_gc == WIRE_GC_IDLE || usdt_gc == WIRE_GC_RUNNING)
    labels.gc = static_cast<model::Gc>(usdt_gc);
  if (import <= WIRE_GC_RUNNING) labels.import = static_cast<model::Import>(import);
  labels.has_interpreter = (tick_flags & WIRE_TICK_INTERPRETER) != 0;
  if (labels.has_interpreter)
    labels.interpreter = static_cast<uint16_t>(tick_flags >> WIRE_TICK_INTERPRETER_SHIFT);
  labels.has_task = (tick_flags & WIRE_TICK_TASK) != 0;
  if (labels.has_task) labels.task = task;
  return labels;
}

std::optional<Record> Decoder::decode(std::span<const uint8_t> bytes) {
  return counted(parse(bytes), malformed_);
}

std::optional<ProcessEvent> Decoder::decode_process(std::span<const uint8_t> bytes) {
  return counted(parse_process(bytes), malformed_);
}

uint64_t Decoder::malformed() const {
  return std::accumulate(malformed_.begin(), malformed_.end(), uint64_t{0});
}

}  // namespace pyprof::probe
