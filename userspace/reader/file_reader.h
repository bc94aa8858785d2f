// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "userspace/reader/reader_process.h"
#include "userspace/reader/table_cache.h"

namespace pyprof::reader {

struct FileReaderOptions {
  std::string program;          // pyebpf-reader
  std::string cache_directory;  // empty = nothing is kept
  uint64_t cache_bytes = 0;
  ReadLimits limits;
  // A file larger, or one that took longer, is read where it holds up only others of its kind.
  uint64_t small_bytes = uint64_t{16} << 20;
  std::chrono::milliseconds small_time{300};
};

struct ReaderCounts {
  uint64_t parsed = 0;
  uint64_t from_cache = 0;
  uint64_t cache_bytes = 0;
  std::array<uint64_t, kFailures> failures{};
};

// Reads executable files on two threads with a pyebpf-reader each: one for small files, one for
// those that take long. Safe for several threads.
class FileReader {
 public:
  // Called on one of the two threads. `later` = no result yet: the file has moved over to the slow
  // thread, and this is called again.
  struct Outcome {
    bool later = false;
    ReadResult result;
  };
  using Done = std::function<void(Outcome)>;

  explicit FileReader(FileReaderOptions options);
  ~FileReader();  // no `done` is running or will be called any more
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  // Returns whether it goes to the slow thread. At most 4,096 files wait; above that the outcome is
  // Failure::kUnavailable at once.
  bool read(Fd file, std::string path, Done done);

  [[nodiscard]] ReaderCounts counts() const;
  [[nodiscard]] const std::string& program() const { return options_.program; }

 private:
  struct Job {
    Fd file;
    std::string path;
    Done done;
    std::optional<CacheKey> key;
  };
  struct Lane {
    std::deque<Job> jobs;
    std::condition_variable filled;
    std::thread thread;
  };
  enum Which : uint8_t { kFast, kSlow, kLanes };

  void run(Which which);
  void handle(Which which, ReaderProcess& process, Job job);
  std::optional<FileTables> cached(Job& job);
  void keep(const Job& job, const FileTables& tables);
  bool enqueue(Which which, Job& job);
  void count(const ReadResult& result);

  const FileReaderOptions options_;
  Fd cancel_;  // an eventfd
  std::mutex cache_mutex_;
  std::optional<TableCache> cache_;  // guarded by cache_mutex_
  mutable std::mutex mutex_;         // guards what follows
  ReaderCounts counts_;
  bool stop_ = false;
  std::array<Lane, kLanes> lanes_;
};

// The pyebpf-reader that belongs to this program; fails if it is not installed.
[[nodiscard]] Result<std::string> reader_program();

// With the pyebpf-reader that belongs to this program. An empty directory or 0 bytes: nothing is
// kept.
[[nodiscard]] Result<std::unique_ptr<FileReader>> start_file_reader(
    const std::string& cache_directory, uint64_t cache_bytes);

}  // namespace pyprof::reader
