// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "bpf/wire.h"

// How well the stacks of a process can be told: the closed sets that `ps`, `doctor`, the report and
// the metrics share.
namespace pyprof::model {

enum class Status : uint8_t {
  kOk,
  kPartial,      // some samples don't reach the thread's root, or have frames without a name
  kUnsupported,  // CPython whose frames can't be read: profiled as native code
};
inline constexpr std::size_t kStatuses = 3;

[[nodiscard]] constexpr std::string_view to_label(Status status) {
  constexpr std::array<std::string_view, kStatuses> kLabels{"ok", "partial", "unsupported"};
  return kLabels[static_cast<std::size_t>(status)];
}

// Why the Python frames of a process can't be read at all.
enum class Unsupported : uint8_t {
  kNone,
  kVersion,         // a version, or a build of one, that is not known
  kVersionUnknown,  // the file does not tell its version
  kDebugOffsets,    // _Py_DebugOffsets (3.13 on) that no known build has
  kUnreadableFile,  // named like an interpreter, but not a file that can be read as one
  kCLibrary,        // a C library whose thread-specific data is not known
  kThreadState,     // no way to the thread state is known
  kTableFull,       // no room in the kernel's interpreter table
};
inline constexpr std::size_t kUnsupportedReasons = 8;

[[nodiscard]] constexpr std::string_view to_label(Unsupported reason) {
  constexpr std::array<std::string_view, kUnsupportedReasons> kLabels{
      "none",      "version",      "version_unknown", "debug_offsets", "unreadable_file",
      "c_library", "thread_state", "table_full"};
  return kLabels[static_cast<std::size_t>(reason)];
}

// Flaws that have no fault of the kernel's list behind them.
inline constexpr std::string_view kFlawUnnamed = "unnamed_python";
inline constexpr std::string_view kFlawOther = "other";

// Why a sample's stack may not be whole: what can end a stack, of the kernel's one list, and the
// two above. Indexes WIRE_FAULT_PROC_UNKNOWN to WIRE_FAULT_PY_CODE_FAULT, less 1, then the two.
inline constexpr std::size_t kFlaws = WIRE_FAULT_PY_CODE_FAULT + 2;
static_assert(WIRE_FAULT_PROC_UNKNOWN == 1, "the faults that end a stack come first");

[[nodiscard]] constexpr std::string_view flaw_label(std::size_t flaw) {
#define X(name, label, help) label,
  constexpr std::string_view kFaults[] = {WIRE_FAULTS(X)};
#undef X
  if (flaw + 2 < kFlaws) return kFaults[flaw];
  return flaw + 2 == kFlaws ? kFlawUnnamed : kFlawOther;
}

// The samples of one process in one window. Whole is a sample whose Python frames reach the
// thread's root and have names; in a thread without Python frames, one whose native frames do.
struct Coverage {
  uint64_t samples = 0;
  uint64_t whole = 0;
  std::map<std::string, uint64_t> flaws;  // flaw_label() -> samples; what is not whole, once each
};

// CPython in a process, as its files tell.
struct PythonDetails {
  std::string image;     // path of the file that holds the runtime
  std::string build;     // "shared", "static, free-threaded, JIT"
  std::string route;     // how the thread state is found; empty if unsupported
  bool counter = false;  // the count of code objects made can be read: stacks are verified cheaply
  Unsupported reason = Unsupported::kNone;
  std::string detail;  // what is wrong, for people; empty if nothing is
  std::string
      others;  // that more interpreters run in the process, which are not read; mostly empty
};

}  // namespace pyprof::model
