// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/targets.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>

#include "userspace/aggregate/clean_text.h"
#include "userspace/engine/interpreter_choice.h"
#include "userspace/process/mapped_file.h"
#include "userspace/process/proc_maps.h"
#include "userspace/python/describe.h"
#include "userspace/reader/file_reader.h"

namespace pyprof::daemon {
namespace {

constexpr std::size_t kMaxStatusLines = 100;

// The process that a thread belongs to; 0 = not known. /proc shows a thread's folder to whoever
// asks for it by name, as if it were a process.
int32_t owner_of(const process::ProcFs& proc, int32_t tid) {
  constexpr std::string_view kKey = "Tgid:\t";
  std::ifstream file(proc.path(tid, "status"));
  std::string line;
  for (std::size_t i = 0; i < kMaxStatusLines && std::getline(file, line); ++i) {
    if (!line.starts_with(kKey)) continue;
    int32_t pid = 0;
    std::from_chars(line.data() + kKey.size(), line.data() + line.size(), pid);
    return pid;
  }
  return 0;
}

bool has_exited(const process::ProcessStat& stat) {
  return stat.state == 'Z' || stat.state == 'X';
}

bool may_be_python(const model::Mapping& mapping, std::string_view exe) {
  if (!process::has_file(mapping) || process::is_vdso(mapping)) return false;
  const std::string_view path = process::without_deleted(mapping.path);
  return path == exe || aggregate::base_name(path).find("python") != std::string_view::npos;
}

bool is_c_library_name(std::string_view path) {
  const std::string_view name = aggregate::base_name(path);
  return name.starts_with("libc.") || name.starts_with("libc-") || name.starts_with("libpthread") ||
         name.starts_with("ld-musl");
}

reader::ReadLimits no_rows() {
  reader::ReadLimits limits;
  limits.max_rows = 0;
  return limits;
}

std::string list_of(const std::vector<int32_t>& pids) {
  constexpr std::size_t kShown = 8;
  std::string text = pids.size() == 1 ? "process" : "none of the processes";
  for (std::size_t i = 0; i < pids.size() && i < kShown; ++i)
    text += (i == 0 ? " " : ", ") + std::to_string(pids[i]);
  return pids.size() > kShown ? text + ", ..." : text;
}

}  // namespace

Result<void> check_process(const process::ProcFs& proc, int32_t pid) {
  const auto stat = proc.stat(pid);
  if (!stat) {
    return Error{
        fmt::format("no process with pid {}; `pyebpf-prof ps` lists Python processes", pid),
        ExitCode::kNoProcess};
  }
  if (has_exited(*stat)) {
    return Error{fmt::format("process {} has exited", pid), ExitCode::kNoProcess};
  }
  const int32_t owner = owner_of(proc, pid);
  if (owner == 0 || owner == pid) return {};
  return Error{fmt::format("{0} is a thread of process {1}; use --pid {1}", pid, owner),
               ExitCode::kNoProcess};
}

const PythonFinder::Looked* PythonFinder::look(int32_t pid, const model::Mapping& mapping) {
  const FileId id{mapping.file.device, mapping.file.inode};
  if (const auto known = files_.find(id); known != files_.end()) return &known->second;
  auto fd = process::open_mapping(proc_, pid, mapping);
  if (!fd || files_.size() >= kMaxFiles) return nullptr;
  const auto path = process::without_deleted(mapping.path);
  const auto result = reader_->read(*fd, path, no_rows());
  const auto* failure = std::get_if<reader::Failure>(&result);
  auto tables = failure == nullptr ? std::get<reader::FileTables>(result)
                                   : reader::tables_of_unreadable(*failure, path);
  Looked looked{std::move(tables.interpreter), tables.tsd, {}};
  if (looked.interpreter) {
    if (auto facts = process::read_facts(*fd)) looked.facts = std::move(*facts);
  }
  return &files_.emplace(id, std::move(looked)).first->second;
}

// The files with a usual name first: the C library may also be part of the executable.
std::optional<python::TsdLayout> PythonFinder::find_tsd(
    int32_t pid, const std::vector<model::Mapping>& mappings) {
  for (const bool usual : {true, false}) {
    for (const model::Mapping& mapping : mappings) {
      if (!process::has_file(mapping) || process::is_vdso(mapping)) continue;
      if (is_c_library_name(mapping.path) != usual) continue;
      if (const Looked* looked = look(pid, mapping); looked && looked->tsd) return looked->tsd;
    }
  }
  return std::nullopt;
}

std::vector<engine::InterpreterCandidate> PythonFinder::find_candidates(
    int32_t pid, std::string_view exe, const std::vector<model::Mapping>& mappings) {
  std::vector<engine::InterpreterCandidate> found;
  for (const model::Mapping& mapping : mappings) {
    if (!may_be_python(mapping, exe)) continue;
    const Looked* looked = look(pid, mapping);
    if (looked == nullptr || !looked->interpreter) continue;
    const engine::InterpreterCandidate candidate{&*looked->interpreter,
                                                 looked->facts.bias(mapping)};
    const bool known = !found.empty() && found.back().file == candidate.file &&
                       found.back().bias == candidate.bias;
    if (!known) found.push_back(candidate);
  }
  return found;
}

Result<std::optional<PythonFinder::Chosen>> PythonFinder::choose(int32_t pid) {
  const auto exe = proc_.exe(pid);
  if (!exe) {  // kernel threads and zombies have none, and so no interpreter
    if (exe.error().code == ExitCode::kNoProcess) return std::optional<Chosen>();
    return exe.error();
  }
  const auto maps = proc_.maps(pid);
  if (!maps) return maps.error();
  if (!reader_) {
    const auto program = reader::reader_program();
    if (!program) return program.error();
    reader_.emplace(*program);
  }
  const auto found = find_candidates(pid, process::without_deleted(*exe), maps->mappings);
  if (found.empty()) return std::optional<Chosen>();
  Chosen chosen{engine::choose_interpreter(pid, found), {}, {}};
  chosen.candidate = found[chosen.choice.index];
  if (chosen.candidate.file->supported()) chosen.tsd = find_tsd(pid, maps->mappings);
  return std::optional(std::move(chosen));
}

Result<std::optional<PythonSupport>> PythonFinder::find(int32_t pid) {
  const auto chosen = choose(pid);
  if (!chosen) return chosen.error();
  if (!*chosen) return std::optional<PythonSupport>();
  const auto& [choice, candidate, tsd] = **chosen;
  PythonSupport support{candidate.file->full_version,
                        python::describe(*candidate.file, tsd ? &*tsd : nullptr)};
  if (support.details.reason == model::Unsupported::kNone)
    support.details.others = engine::others_text(choice);
  return std::optional(std::move(support));
}

Result<PythonFinder::Runtime> PythonFinder::find_runtime(int32_t pid) {
  const auto chosen = choose(pid);
  if (!chosen) return chosen.error();
  if (!*chosen) {
    return Error{fmt::format("process {} runs no CPython", pid), ExitCode::kNotSupported};
  }
  const auto& [choice, candidate, tsd] = **chosen;
  const python::InterpreterFile& file = *candidate.file;
  if (!file.supported()) {
    return Error{fmt::format("process {}: {}", pid, file.unsupported), ExitCode::kNotSupported};
  }
  const python::TsdLayout layout = tsd.value_or(python::TsdLayout());
  Runtime found{file.full_version, {}};
  found.runtime.address = file.runtime_address + candidate.bias;
  found.runtime.config = python::make_config(file, candidate.bias, layout);
  found.runtime.offsets = file.runtime;
  found.runtime.offsets.pthread_tid = layout.pthread_tid;
  return found;
}

Result<void> require_python(const process::ProcFs& proc, const std::vector<int32_t>& pids,
                            const std::string& what) {
  PythonFinder finder(proc);
  for (const int32_t pid : pids) {
    const auto found = finder.find(pid);
    if (!found) return found.error();
    if (*found) return {};
  }
  if (pids.empty()) return {};
  return Error{fmt::format("{} {} no CPython: leave {} out to profile native code", list_of(pids),
                           pids.size() == 1 ? "runs" : "run", what),
               ExitCode::kNotSupported};
}

}  // namespace pyprof::daemon
