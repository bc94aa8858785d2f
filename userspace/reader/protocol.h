// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "userspace/reader/file_symbols.h"

// Between this program and pyebpf-reader, over a stream socket. A request comes with descriptors: a
// memory file for the encoded FileTables or FileSymbols, the file, and for symbols the candidates
// for its debug file. An answer is sent when the process that wrote the result is gone, so that
// nobody changes it any more.
namespace pyprof::reader {

inline constexpr std::size_t kMaxPathBytes = 4'096;

inline constexpr std::size_t kMaxDescriptors = 2 + kMaxCandidates;

enum class Wanted : uint32_t { kTables, kSymbols };

struct Request {
  Wanted wanted = Wanted::kTables;
  uint32_t descriptors = 0;
  uint64_t max_rows = 0;
  uint64_t memory_bytes = 0;  // that the parser may allocate
  uint64_t result_bytes = 0;  // at most
  uint32_t cpu_seconds = 0;
  uint32_t path_bytes = 0;  // text that follows
};

struct Answer {
  int32_t wait_status = 0;  // as of waitpid()
};

// Exit codes of the parser beside 0.
inline constexpr int kExitSandbox = 10;  // no sandbox, so nothing was read
inline constexpr int kExitMemory = 11;
inline constexpr int kExitResult = 12;  // the result could not be written

}  // namespace pyprof::reader
