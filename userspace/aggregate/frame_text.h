// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "userspace/model/profile.h"

// The one spelling of a frame that every text output uses.
namespace pyprof::aggregate {

enum class LineMode : uint8_t {
  kCurrent,  // the line that ran
  kFirst,    // the line of the def: one name per function
  kNone,
};

struct TextOptions {
  LineMode lines = LineMode::kCurrent;
  bool full_paths = false;
};

// Python `qualname (file.py:LINE)`, native `symbol [module]` or `0xOFFSET [module]`, kernel
// `symbol [kernel]` or `0xADDR [kernel]`, a marker as it is. Clean text (clean_text.h).
[[nodiscard]] std::string frame_text(const model::Profile& profile, const model::Frame& frame,
                                     const TextOptions& options = {});

// The parts of it: the name alone ("<unnamed>" or "0xOFFSET" if there is none) ...
[[nodiscard]] std::string function_text(const model::Frame& frame);
// ... and where it is: `file.py:LINE`, `?`, `[module]`, `[kernel]`; empty for a marker. `line` 0
// leaves the line out.
[[nodiscard]] std::string place_text(const model::Profile& profile, const model::Frame& frame,
                                     uint32_t line, bool full_paths);

// The same with the line of native code where it is known: `file.c:LINE [module]`. For tables: the
// spelling of frames in stacks does not have it.
[[nodiscard]] std::string source_text(const model::Profile& profile, const model::Frame& frame,
                                      uint32_t line, bool full_paths);

// "python", "native", "interpreter", "kernel", "marker"
[[nodiscard]] const char* kind_text(model::FrameKind kind);

// `thread NAME (TID)` with the name Python gave it, else its comm.
[[nodiscard]] std::string thread_text(const model::Thread& thread);
[[nodiscard]] std::string thread_name(const model::Thread& thread);
// `process COMM (PID)`
[[nodiscard]] std::string process_text(const model::ProcessInfo& process);

}  // namespace pyprof::aggregate
