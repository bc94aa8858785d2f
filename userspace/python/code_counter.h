// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "userspace/elf/elf_file.h"

// Where CPython counts the code objects it creates. While the counter stands still no address can
// have got another code object, which saves the kernel side from verifying stacks again. 3.12 and
// 3.13 don't publish its place: it is found by symbol, or decoded from x86-64 code that uses it.
namespace pyprof::python {

// 3.12: virtual address of the global; empty = not found.
[[nodiscard]] std::optional<uint64_t> find_global_code_counter(const elf::ElfFile& file);

// 3.13: offset in PyInterpreterState; empty = not found.
[[nodiscard]] std::optional<uint32_t> find_interpreter_code_counter(const elf::ElfFile& file);

}  // namespace pyprof::python
