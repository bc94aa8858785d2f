// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bpf/wire.h"
#include "userspace/elf/elf_file.h"
#include "userspace/model/process_status.h"
#include "userspace/python/versions.h"

// Finds CPython in executables and libraries and tells the kernel side how to walk it. Judged by
// the file's content only: nothing here reads a process.
namespace pyprof::python {

// A file that holds a CPython runtime. Addresses are virtual addresses of the file.
struct InterpreterFile {
  uint16_t version = 0;      // major << 8 | minor, 0 = unknown
  std::string full_version;  // "3.12.1"; "3.12" or "" if the file doesn't tell
  std::string unsupported;   // why its frames can't be read, for people; empty = supported
  model::Unsupported reason = model::Unsupported::kVersion;  // the same, if not supported
  std::string path;                                          // as given to inspect()
  std::string build;             // "shared", "static, free-threaded, JIT"
  uint64_t runtime_address = 0;  // of _PyRuntime; of interp_head before 3.7; 0 = unknown
  wire_python_config config{};   // without the thread-specific data layout; if supported
  RuntimeOffsets runtime;        // for read_thread_names(); if supported

  [[nodiscard]] bool supported() const { return unsupported.empty(); }
};

// Empty = not an interpreter; also for files that merely link against libpython. `path` is only
// used for the version of interpreters before 3.11 that say it nowhere else. Up to 3.10 the version
// has to agree with what the file exports and with the size of its _PyRuntime.
[[nodiscard]] std::optional<InterpreterFile> inspect(const elf::ElfFile& file,
                                                     std::string_view path);

// How a C library finds the thread-local variables of libraries.
struct DtvLayout {
  uint16_t pointer = 0;        // of the vector's address, from the thread pointer
  uint16_t element_bytes = 0;  // the first 8 are a block's address; 0 = unknown
};

// How a C library keeps pthread_setspecific() values.
struct TsdLayout {
  uint32_t state_kind = 0;  // WIRE_PY_STATE_KEY_GLIBC or _MUSL
  uint16_t level1 = 0;      // from the thread pointer
  uint16_t data_size = 0;
  uint16_t data_offset = 0;
  uint16_t pthread_tid = 0;  // thread id in the C library's descriptor, 0 = unknown
  DtvLayout vector;
};

// For libc.so.6, libpthread.so.0 (glibc before 2.34) and musl's libc; empty for any other file.
[[nodiscard]] std::optional<TsdLayout> inspect_libc(const elf::ElfFile& file);

// What 3.14 on says of running tasks (section .AsyncioDebug, in _asyncio or the interpreter
// itself).
struct AsyncioLayout {
  uint16_t thread_running_task = 0;  // PyThreadState: asyncio_running_task
  uint16_t task_name = 0;            // TaskObj
};

// Empty = the file has no such section, or not one that the kernel side can follow.
[[nodiscard]] std::optional<AsyncioLayout> inspect_asyncio(const elf::ElfFile& file);

// The offset table of one address space, ready for the kernel. `load_bias` = address in the process
// minus virtual address in the file (0 for position-dependent executables). `file` is supported.
// Without `asyncio` tasks are not told apart.
[[nodiscard]] wire_python_config make_config(const InterpreterFile& file, uint64_t load_bias,
                                             const TsdLayout& tsd,
                                             const AsyncioLayout* asyncio = nullptr);

}  // namespace pyprof::python
