// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "userspace/base/result.h"
#include "userspace/elf/elf_file.h"
#include "userspace/model/process_status.h"
#include "userspace/python/interpreter.h"

// What is told to people of the CPython in a process, and why its frames can't be read.
namespace pyprof::python {

// "shared" (a library) or "static" (in the executable), then ", free-threaded" and ", JIT" (3.13
// on, built with it; whether it is on is the process's choice).
[[nodiscard]] std::string build_text(const elf::ElfFile& file, bool free_threaded);

// inspect() for a mapped file that may not even be an ELF file, or end before its segments do: with
// the name of an interpreter ("libpython3.12.so.1.0", "python3.12") it is one that is not
// supported.
[[nodiscard]] std::optional<InterpreterFile> inspect_mapped(const Result<elf::ElfFile>& file,
                                                            std::string_view path);

// `tsd` of the process's C library, nullptr = not known.
[[nodiscard]] model::PythonDetails describe(const InterpreterFile& file, const TsdLayout* tsd);

}  // namespace pyprof::python
