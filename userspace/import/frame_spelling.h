// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "userspace/import/profile_maker.h"

namespace pyprof::importer {

// A frame from the spelling of folded stacks: `name (file.py:12)`, `symbol [module]`, `symbol
// [kernel]`, `0x12 [module]`, `[marker]`; also perf's `symbol_[k]`. What fits none of them is a
// native function without a module.
[[nodiscard]] model::Frame read_frame(std::string_view text, ProfileMaker& maker);

// `thread NAME (TID)` and `process COMM (PID)`, which stand in front of the frames.
[[nodiscard]] bool read_owner(std::string_view text, ThreadName& into);

// Whether a source file is Python's: by its suffix, or "<string>" and the like.
[[nodiscard]] bool is_python_file(std::string_view file);

}  // namespace pyprof::importer
