// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "userspace/elf/elf_file.h"

// Where a thread-local variable is. CPython keeps a thread's state in such variables
// (_Py_tss_gilstate from 3.15 on, Python/pystate.c); they are hidden, so that release builds don't
// name them, but exported functions return them.
namespace pyprof::python {

struct ThreadVariable {
  // Virtual address of the u64 that holds the library's module number once it is loaded. 0 = a
  // variable of the executable.
  uint64_t module_slot = 0;
  // From the start of the library's block, or from the thread pointer (then it is negative).
  int64_t offset = 0;
};

// By the variable's symbol, else decoded from the x86-64 code of an exported function that does
// nothing but return it. Empty = not found.
[[nodiscard]] std::optional<ThreadVariable> find_thread_variable(const elf::ElfFile& file,
                                                                 std::string_view variable,
                                                                 std::string_view getter);

}  // namespace pyprof::python
