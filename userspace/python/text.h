// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "bpf/wire.h"
#include "userspace/base/result.h"
#include "userspace/model/sample.h"

// Strings and code objects as the kernel side copied them out of a process.
namespace pyprof::python {

// Characters of a str object as UTF-8. `kind` bytes per character: 1 (Latin-1 or ASCII), 2, 4; any
// other gives "". Lone surrogates and values over U+10FFFF become U+FFFD. Names end up on
// terminals, so that control characters, line separators and bidirectional overrides become '?'.
// A last character that was cut is left out.
[[nodiscard]] std::string decode_text(std::span<const uint8_t> bytes, uint8_t kind);

// The same for bytes that are UTF-8 by custom, such as names and paths in Python 2.7: what isn't
// is taken for Latin-1 as a whole.
[[nodiscard]] std::string decode_bytes(std::span<const uint8_t> bytes);

// A wire_code record with its trailing bytes. `complete` is false if a name or the line table was
// cut or could not be read; what is there is kept. Up to 3.10 `qualname` is co_name, behind the
// captured class's name and a dot if there is one. Fails if the record contradicts its size.
[[nodiscard]] Result<model::CodeObject> decode_code(std::span<const uint8_t> record);

// A wire_task record. "Task-7" for the number of a task that nobody named; a name that was cut ends
// in U+2026. Fails if the record contradicts its size.
[[nodiscard]] Result<model::TaskName> decode_task(const wire_task& record);

}  // namespace pyprof::python
