// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "bpf/wire.h"
#include "userspace/base/result.h"

// What differs between CPython versions, one row each, and one for the free-threaded build: a new
// version is a new row. For 64-bit machines. Offsets of a minor version were compared over its
// patch releases; those that move between them are taken from the file instead
// (_Py_DebugOffsets, 3.13 on).
namespace pyprof::python {

constexpr uint16_t kNoMember = 0xffff;

// Where the attributes of an instance are.
enum class AttributeStorage : uint8_t {
  kTwoPointers,    // 3.11: a values pointer and a dict pointer in front of the object
  kTaggedPointer,  // 3.12: one pointer, bit 0 set if it is to values
  kInline,         // 3.13 on: values behind the object, a dict pointer in front
  kDict,           // to 3.10: a dict pointer at the type's tp_dictoffset
};

// What is read to list threads and, to 3.10, to name methods; bytes, in the struct the name says.
struct RuntimeOffsets {
  uint16_t interpreters_head = 0;  // _PyRuntimeState
  uint16_t interp_next = 0;        // PyInterpreterState
  uint16_t interp_threads = 0;
  uint16_t interp_modules = 0;
  uint16_t thread_next = 0;  // PyThreadState
  uint16_t thread_native_id = 0;
  uint16_t type_cached_keys = 0;  // PyHeapTypeObject
  AttributeStorage attributes = AttributeStorage::kInline;
  // PyInterpreterState, for labels; 0 = not known.
  uint16_t interp_id = 0;
  uint16_t interp_gc_collecting = 0;
  uint16_t function_code = 0;  // PyFunctionObject, to 3.10
  uint16_t function_closure = 0;
  uint16_t function_name = 0;      // func_qualname, in 2.7 func_name
  uint16_t frame_localsplus = 72;  // _PyInterpreterFrame, 3.11 on
  uint16_t pthread_tid = 0;        // of the C library's descriptor, 0 = unknown; used where
                                   // thread_native_id doesn't exist (to 3.10)
};

// A member of one of the two structs above and the place of its offset in _Py_DebugOffsets.
template <typename Struct>
struct DebugMember {
  uint16_t position;
  uint16_t Struct::*member;
};

struct VersionRow {
  uint16_t version = 0;                  // major << 8 | minor
  bool free_threaded = false;            // --disable-gil (3.13 on)
  uint16_t runtime_key = 0;              // of _PyRuntimeState: gilstate.autoTSSkey; 0 = none
  uint16_t runtime_current = kNoMember;  // gilstate.tstate_current, to 3.11
  uint16_t runtime_bytes = 0;            // sizeof(_PyRuntimeState), 3.7 to 3.10: one per layout
  uint16_t debug_bytes = 0;              // sizeof(_Py_DebugOffsets), 0 = none
  uint16_t debug_code_generation = 0;    // position of code_object_generation in it, 0 = none
  uint16_t debug_gc = 0;                 // positions of interpreter_state.gc ...
  uint16_t debug_gc_collecting = 0;      // ... and of gc.collecting
  uint16_t gil_after_status = 0;         // PyThreadState: from _status to what config.ts_gil means
  uint16_t state_after_gil = 0;          // from there to `state`; free-threaded builds only
  wire_python_config config{};           // addresses are 0
  RuntimeOffsets runtime;
  std::span<const DebugMember<wire_python_config>> debug_config{};
  std::span<const DebugMember<RuntimeOffsets>> debug_runtime{};
};

// nullptr = not supported. `runtime_bytes`: sizeof(_PyRuntimeState) as the file says it, 0 =
// unknown; up to 3.10 it tells layouts of one version apart, the newest is taken if it is unknown.
[[nodiscard]] const VersionRow* find_version(uint16_t version, uint64_t runtime_bytes = 0,
                                             bool free_threaded = false);

// The version up to 3.10 whose _PyRuntimeState has this size; 0 = none.
[[nodiscard]] uint16_t version_of_runtime(uint64_t runtime_bytes);

// The head of _Py_DebugOffsets, equal in all versions that have it.
struct DebugHead {
  uint64_t version_hex = 0;  // PY_VERSION_HEX
  bool free_threaded = false;
};

// False = `runtime`, the first bytes of _PyRuntime, is not _Py_DebugOffsets (before 3.13).
[[nodiscard]] bool read_debug_head(std::span<const uint8_t> runtime, DebugHead& head);

// The row with the offsets that the file itself states. Fails if one of them can't be right or is
// beyond what the kernel side reads.
[[nodiscard]] Result<VersionRow> with_debug_offsets(const VersionRow& row,
                                                    std::span<const uint8_t> runtime);

// "3.12.1" (or "3.15.0a2") of a PY_VERSION_HEX.
[[nodiscard]] std::string version_text(uint64_t version_hex);

}  // namespace pyprof::python
