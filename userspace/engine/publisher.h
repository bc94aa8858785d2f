// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <unordered_map>
#include <vector>

#include "userspace/engine/file_catalog.h"
#include "userspace/engine/file_waits.h"
#include "userspace/engine/interpreter_choice.h"
#include "userspace/engine/process_directory.h"
#include "userspace/probe/loader.h"
#include "userspace/process/tracker.h"

namespace pyprof::engine {

// Gives the kernel the tables of each process, on a thread of its own: opening files may take long
// or block. A process whose files are all known is served first; one with a new file gets what
// there is at once and the rest when the file has been read, which other threads do.
class Publisher {
 public:
  using ScanDone = std::function<void(process::ScanResult)>;
  using CodeDone = std::function<void(model::CodeObject)>;

  Publisher(probe::Probe& probe, probe::TableStore& tables, process::FileTable& files,
            FileCatalog& catalog, ProcessDirectory& directory,
            std::unique_ptr<reader::FileReader> reader);
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // A process is new or its mappings changed; `as_of_ns` is the time of the last event in them.
  void publish(const process::ProcessState& state, uint64_t as_of_ns);
  void retire(model::ProcessId process, int32_t pid);
  // `done` is called on the publishing thread.
  void scan(const process::ScanRequest& request, const ScanDone& done);

  // Reads what the kernel could not capture of a code object (a long line table, a page that was
  // not resident), if the process still has it. `done` as above; not called if it is gone.
  void complete(model::CodeObject code, const CodeDone& done);

  // Methods of CPython up to 3.10, in whose place the kernel knows the class of their first
  // argument only: names them after the class that defines them, where the process still tells.
  // Waits for that, at most 100 ms for each process, on the caller's thread.
  void name_methods(std::vector<model::CodeObject*>& codes);

  // Forgets all scans and completions; when it returns no `done` is running or will be called.
  void cancel_calls();

  // Until nothing is left to do or the time is over. Returns whether all is done.
  bool wait_idle(std::chrono::milliseconds limit);

  // The time that a mapping generation describes; 0 = too long ago to be remembered.
  [[nodiscard]] uint64_t built_ns(uint32_t map_gen) const;

  // See FileCatalog. Any thread.
  [[nodiscard]] std::optional<uint32_t> rule(const model::NativeAddress& where) const {
    return catalog_.rule(where.file, where.address);
  }

  // Tables that found no room in the kernel.
  [[nodiscard]] uint64_t refused() const;
  [[nodiscard]] reader::ReaderCounts reader_counts() const { return reader_->counts(); }

 private:
  struct Job {
    process::ProcessState state;
    uint64_t as_of_ns = 0;
    bool ended = false;
    bool learnt = false;
  };
  // A process with several interpreters: which of them runs can change.
  struct Ambiguous {
    Job job;
    std::vector<InterpreterCandidate> candidates;
    InterpreterChoice choice;
  };
  struct Published {
    uint32_t map_first = 0;
    uint32_t map_count = 0;
    uint32_t python = WIRE_NO_SLOT;
    std::vector<model::FileId> files;  // whose rows they point at
  };
  // What one look at a process's files gave.
  struct Built {
    std::vector<wire_mapping> mappings;
    uint32_t python = WIRE_NO_SLOT;
    std::vector<model::FileId> files;    // with rows
    std::vector<model::FileId> reading;  // to wait for
    bool missing = false;                // there is a file that was not read
    std::vector<model::FileId> starved;  // whose rows find no room
  };
  struct Starved {
    Job job;
    std::vector<model::FileId> files;
  };

  void run();
  bool step(std::unique_lock<std::mutex>& lock);
  void serve(std::unique_lock<std::mutex>& lock, std::deque<model::ProcessId>& list, bool may_read);
  void call(std::unique_lock<std::mutex>& lock, const std::function<void()>& work);
  void learn(Job& job);
  void read_code(const model::CodeObject& code, const CodeDone& done);
  void name_methods_of_one(std::span<model::CodeObject* const> codes);
  void look_after_files();
  void retry(model::ProcessId process, Starved starved);
  void take_files(std::unique_lock<std::mutex>& lock);
  void do_again(std::vector<Job>& jobs);
  Built build(const Job& job, bool may_read);
  // What a mapping is of.
  struct Mapped {
    const LoadedFile* file = nullptr;
    uint64_t bias = 0;
    bool unread = false;  // the file is to be read
  };
  Mapped file_of(const Job& job, const process::MappedRange& range, bool may_read, Built& built);
  void read_file(const Job& job, model::FileId id, const model::Mapping& mapping, Built& built);
  void start_reading(model::FileId id, Fd fd);
  uint32_t choose_python(const Job& job, const std::vector<InterpreterCandidate>& candidates,
                         const python::TsdLayout* tsd, const python::AsyncioLayout* asyncio);
  uint32_t place_python(const Job& job, const InterpreterCandidate& candidate,
                        const std::string& others, const python::TsdLayout* tsd,
                        const python::AsyncioLayout* asyncio);
  void look_again();
  void tell_unreadable(const Job& job);
  void install(const Job& job, const Built& built);
  void withdraw(const Published& slot, uint64_t now_ns);
  void remove(const Job& job);
  void remember(uint32_t map_gen, uint64_t as_of_ns);

  probe::Probe& probe_;
  probe::TableStore& tables_;
  process::FileTable& files_;
  FileCatalog& catalog_;
  ProcessDirectory& directory_;
  const process::ProcFs proc_;
  std::unordered_map<model::ProcessId, Published> published_;  // publishing thread only
  std::unordered_map<int32_t, model::ProcessId> by_pid_;       // publishing thread only
  std::unordered_map<model::ProcessId, Ambiguous> ambiguous_;  // publishing thread only
  uint64_t look_again_ns_ = 0;                                 // publishing thread only
  FileWaits<Job> waits_;                                       // publishing thread only
  std::unordered_map<model::ProcessId, Starved> starved_;      // publishing thread only

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable work_;
  std::condition_variable idle_;
  std::unordered_map<model::ProcessId, Job> jobs_;
  std::deque<model::ProcessId> fresh_;
  std::deque<model::ProcessId> slow_;  // need a file that was never read
  std::deque<std::pair<process::ScanRequest, ScanDone>> scans_;
  std::deque<std::pair<model::CodeObject, CodeDone>> codes_;
  std::deque<std::pair<uint32_t, uint64_t>> generations_;  // map_gen, as_of_ns
  std::deque<std::pair<model::FileId, reader::FileReader::Outcome>> read_files_;
  uint64_t refused_ = 0;
  bool waiting_ = false;  // for files
  bool busy_ = false;
  bool calling_ = false;  // a `done` may be running
  bool stop_ = false;
  std::unique_ptr<reader::FileReader> reader_;
  std::thread thread_;
};

}  // namespace pyprof::engine
