// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "userspace/aggregate/frame_text.h"
#include "userspace/model/profile.h"

// A frame in the parts that formats of other tools have: function, file, line, module.
namespace pyprof::exporter {

struct SourceText {
  std::string function;  // as aggregate::function_text(), with `[module]` where no file says more
  std::string file;      // of the source; "" = unknown
  std::string module;    // path of the native file, "[kernel]", "" for Python and markers
  uint32_t line = 0;     // as the options say, 0 = unknown or not wanted
  uint32_t first_line = 0;  // of the function, 0 = unknown
};

// Clean text (aggregate/clean_text.h).
[[nodiscard]] SourceText source_of(const model::Profile& profile, const model::Frame& frame,
                                   const aggregate::TextOptions& text);

// `thread NAME (TID)`, after `process COMM (PID)` where there are several.
[[nodiscard]] std::string thread_title(const model::Profile& profile, const model::Thread& thread);

}  // namespace pyprof::exporter
