// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

// The records of a jitdump file, which JIT compilers leave for `perf inject`: V8's --perf-prof,
// CPython's -X perf_jit, Java agents. Layout: tools/perf/Documentation/jitdump-specification.txt of
// the kernel. The file is the profiled process's: hostile.
namespace pyprof::symbolize {

struct JitDumpRecord {
  enum class Kind : uint8_t { kLoad, kMove, kOther };
  Kind kind = Kind::kOther;
  uint64_t start = 0;  // of the code
  uint64_t bytes = 0;
  uint64_t old_start = 0;  // kMove: where it was
  std::string name;        // kLoad
};

// A file of this machine's byte order. Reads only what it tells, not the code itself.
class JitDump {
 public:
  static constexpr std::size_t kMaxNameBytes = 1024;  // the rest of a name is cut off

  // Of the file's first bytes; nothing unless they are a jitdump's header.
  static std::optional<JitDump> at_start(int fd);

  // The next record, if all of it is there. A record that makes no sense ends the file.
  std::optional<JitDumpRecord> next(int fd);

  // Bytes read of the file in all.
  [[nodiscard]] uint64_t bytes_read() const { return bytes_read_; }

 private:
  explicit JitDump(uint64_t offset) : offset_(offset) {}
  uint64_t offset_;  // of the next record
  uint64_t bytes_read_ = 0;
};

}  // namespace pyprof::symbolize
