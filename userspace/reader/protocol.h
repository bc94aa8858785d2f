// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>

// Between this program and pyebpf-reader, over a stream socket. A request comes with two
// descriptors: the file, and a memory file for the encoded FileTables. An answer is sent when the
// process that wrote it is gone, so that nobody changes it any more.
namespace pyprof::reader {

inline constexpr std::size_t kMaxPathBytes = 4'096;

struct Request {
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
