// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/engine/interpreter_choice.h"
#include "userspace/engine/process_directory.h"
#include "userspace/model/process.h"
#include "userspace/process/mapped_file.h"
#include "userspace/process/proc_fs.h"
#include "userspace/python/interpreter.h"
#include "userspace/reader/reader_process.h"

// What can be said of the processes a user names before they are sampled, from /proc and the files
// they have mapped.
namespace pyprof::daemon {

// kNoProcess for a pid that is not there, has exited, or is a thread of another process, which the
// message then names.
[[nodiscard]] Result<void> check_process(const process::ProcFs& proc, int32_t pid);

struct PythonSupport {
  std::string version;  // "3.12.1", "" if not known
  model::PythonDetails details;
};

// Looks for CPython in processes. Remembers files it has seen; one thread.
class PythonFinder {
 public:
  explicit PythonFinder(const process::ProcFs& proc) : proc_(proc) {}

  // Nothing = the process runs no CPython. Judged are its executable and mapped files that have
  // "python" in their name; of several interpreters, the one that runs. Fails if the mappings can't
  // be read or pyebpf-reader is missing.
  [[nodiscard]] Result<std::optional<PythonSupport>> find(int32_t pid);

  struct Runtime {
    std::string version;
    engine::PythonRuntime runtime;
  };
  // What its memory is read with. kNotSupported if it runs no CPython, or one that can't be read.
  [[nodiscard]] Result<Runtime> find_runtime(int32_t pid);

 private:
  using FileId = std::pair<uint64_t, uint64_t>;  // device, inode
  // What a file says, whatever the process.
  struct Looked {
    std::optional<python::InterpreterFile> interpreter;
    std::optional<python::TsdLayout> tsd;
    process::FileFacts facts;  // if it is an interpreter
  };

  struct Chosen {
    engine::InterpreterChoice choice;
    engine::InterpreterCandidate candidate;
    std::optional<python::TsdLayout> tsd;
  };
  // Nothing = the process runs no CPython.
  Result<std::optional<Chosen>> choose(int32_t pid);

  // Valid as long as the finder; nullptr = it can't be opened, or there are too many.
  const Looked* look(int32_t pid, const model::Mapping& mapping);
  std::vector<engine::InterpreterCandidate> find_candidates(
      int32_t pid, std::string_view exe, const std::vector<model::Mapping>& mappings);
  std::optional<python::TsdLayout> find_tsd(int32_t pid,
                                            const std::vector<model::Mapping>& mappings);

  static constexpr std::size_t kMaxFiles = 16'384;

  const process::ProcFs& proc_;
  std::optional<reader::ReaderProcess> reader_;  // from the first process on that may run one
  std::map<FileId, Looked> files_;
};

// kNotSupported if none of the processes runs CPython. `what` needs it: "--python-only".
[[nodiscard]] Result<void> require_python(const process::ProcFs& proc,
                                          const std::vector<int32_t>& pids,
                                          const std::string& what);

}  // namespace pyprof::daemon
