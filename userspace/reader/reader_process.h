// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "userspace/base/fd.h"
#include "userspace/reader/file_symbols.h"
#include "userspace/reader/file_tables.h"

// Has files parsed by pyebpf-reader.
namespace pyprof::reader {

// Why nothing is known of a file.
enum class Failure : uint8_t {
  kCrash,        // the parser was ended by a signal
  kTime,         // it took too long
  kMemory,       // or too much memory
  kResult,       // its result is too long, or not one
  kUnavailable,  // there is no parser: it can't be started, or was too often
};
inline constexpr std::size_t kFailures = 5;

[[nodiscard]] constexpr std::string_view to_label(Failure failure) {
  constexpr std::array<std::string_view, kFailures> kLabels{
      "reader_crash", "reader_time", "reader_memory", "reader_result", "reader_unavailable"};
  return kLabels[static_cast<std::size_t>(failure)];
}

// Of one file.
struct ReadLimits {
  std::chrono::milliseconds time{10'000};
  uint32_t cpu_seconds = 8;
  uint64_t memory_bytes = uint64_t{512} << 20;
  uint64_t result_bytes = uint64_t{80} << 20;
  std::size_t max_rows = 8'000'000;
};

using ReadResult = std::variant<FileTables, Failure>;
using SymbolResult = std::variant<FileSymbols, Failure>;

// What can still be said of a file that could not be parsed.
[[nodiscard]] FileTables tables_of_unreadable(Failure why, std::string_view path);

// One such program. It is started again when it is gone, at most once a second on average. One
// thread.
class ReaderProcess {
 public:
  // Starts it without waiting; `program` is its path.
  explicit ReaderProcess(std::string program);
  ~ReaderProcess();
  ReaderProcess(const ReaderProcess&) = delete;
  ReaderProcess& operator=(const ReaderProcess&) = delete;

  // Waits for the result. `path` is what the file is known by; the file's offset is not used. Gives
  // up with kUnavailable when `cancel` is readable.
  [[nodiscard]] ReadResult read(const Fd& file, std::string_view path, const ReadLimits& limits,
                                const Fd& cancel = Fd());
  // The same for symbols; see file_symbols.h.
  [[nodiscard]] SymbolResult read_symbols(const Fd& file, std::span<const Fd> candidates,
                                          const ReadLimits& limits);

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  struct Work;
  bool start();
  void stop();
  [[nodiscard]] bool send(const Work& work, const Fd& result) const;
  [[nodiscard]] std::variant<Mmap, Failure> run(const Work& work, const Fd& cancel);

  const std::string program_;
  Fd socket_;
  pid_t pid_ = 0;
  uint32_t starts_left_;
  uint64_t refilled_ns_;
};

}  // namespace pyprof::reader
