// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "userspace/elf/elf_file.h"

// What CPython 2.7 and 3.6 keep in variables of their own, since they have no _PyRuntime. The
// variables are local symbols, which release builds are stripped of: then exported x86-64 functions
// that use them are decoded. Addresses are virtual addresses of the file.
namespace pyprof::python {

// 2.7 or 3.6 (major << 8 | minor) by what only they export; 0 = neither. For files that hold an
// interpreter without a _PyRuntime.
[[nodiscard]] uint16_t version_without_runtime(const elf::ElfFile& file);

// interp_head: the list of interpreters. Empty = not found.
[[nodiscard]] std::optional<uint64_t> find_interpreter_list(const elf::ElfFile& file);

// autoTLSkey: the int that holds the key of the thread's state. Empty = not found.
[[nodiscard]] std::optional<uint64_t> find_state_key(const elf::ElfFile& file);

}  // namespace pyprof::python
