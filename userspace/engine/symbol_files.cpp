// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/symbol_files.h"

#include <fcntl.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "userspace/base/clock.h"
#include "userspace/process/debug_file.h"
#include "userspace/process/root_files.h"

namespace pyprof::engine {
namespace {

reader::ReadLimits symbol_limits() {
  reader::ReadLimits limits;
  limits.time = std::chrono::milliseconds(5'000);
  limits.cpu_seconds = 3;
  limits.result_bytes = uint64_t{256} << 20;
  return limits;
}

Fd our_root() {
  return Fd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

bool LossBudget::allows(uint64_t now_ns) {
  if (refilled_ns_ != 0) {
    const auto more = static_cast<int64_t>((now_ns - refilled_ns_) / kRefillPart);
    left_ns_ = std::min(left_ns_ + more, kMostNs);
  }
  refilled_ns_ = now_ns;
  return left_ns_ > 0;
}

std::optional<elf::SymbolTable> SymbolFiles::symbols(model::FileId id) {
  const auto file = catalog_.duplicate(id);
  if (!file.fd.valid()) return std::nullopt;
  std::vector<Fd> candidates;
  if (debug_.size() < kMaxDebugFiles || debug_.contains(id)) {
    candidates = debug_candidates(id, file.pid);
  }
  auto result = read(file.fd, candidates);
  if (const auto* failure = std::get_if<reader::Failure>(&result)) {
    ++failures_[static_cast<std::size_t>(*failure)];
    if (*failure == reader::Failure::kUnavailable) return std::nullopt;
    return elf::SymbolTable();
  }
  auto& found = std::get<reader::FileSymbols>(result);
  if (debug_.size() < kMaxDebugFiles || debug_.contains(id)) remember(id, found, candidates);
  return std::move(found.table);
}

void SymbolFiles::remember(model::FileId id, const reader::FileSymbols& found,
                           std::vector<Fd>& candidates) {
  DebugInfo& debug = debug_[id];
  debug.own = found.own_debug_info;
  if (found.debug_file) debug.separate = std::move(candidates[*found.debug_file]);
  if (debug.own || debug.separate.valid() || debug.asked) return;
  const auto info = files_.info(id);
  if (!info || info->build_id.empty()) return;
  debug.asked = true;
  awaited_.emplace(info->build_id, id);
  downloads_.ask(info->build_id);
}

std::vector<model::FileId> SymbolFiles::take_improved() {
  std::vector<model::FileId> improved;
  for (const std::string& build_id : downloads_.take_found()) {
    const auto [first, last] = awaited_.equal_range(build_id);
    for (auto file = first; file != last; ++file)
      improved.push_back(file->second);
    awaited_.erase(first, last);
  }
  return improved;
}

reader::SymbolResult SymbolFiles::read(const Fd& file, const std::vector<Fd>& candidates) {
  const uint64_t begin_ns = monotonic_ns();
  if (!budget_.allows(begin_ns)) return reader::Failure::kUnavailable;
  auto result = reader_.read_symbols(file, candidates, symbol_limits());
  if (std::holds_alternative<reader::Failure>(result)) budget_.spend(monotonic_ns() - begin_ns);
  return result;
}

// What a server gave, files as the process sees them, then as we do.
std::vector<Fd> SymbolFiles::debug_candidates(model::FileId id, int32_t pid) const {
  const auto info = files_.info(id);
  const auto* file = catalog_.find(id);
  if (!info || file == nullptr) return {};
  auto found = process::debug_file_candidates(process::open_root(process::ProcFs(), pid),
                                              info->path, info->build_id, file->debug_link);
  auto ours =
      process::debug_file_candidates(our_root(), info->path, info->build_id, file->debug_link);
  std::move(ours.begin(), ours.end(), std::back_inserter(found));
  if (Fd downloaded = downloads_.find(info->build_id); downloaded.valid()) {
    found.insert(found.begin(), std::move(downloaded));
  }
  if (found.size() > reader::kMaxCandidates) found.resize(reader::kMaxCandidates);
  return found;
}

Fd SymbolFiles::open_debug_info(model::FileId id) {
  const auto known = debug_.find(id);
  if (known == debug_.end()) return Fd();
  if (known->second.own) return catalog_.duplicate(id).fd;
  const Fd& separate = known->second.separate;
  return separate.valid() ? Fd(::fcntl(separate.get(), F_DUPFD_CLOEXEC, 3)) : Fd();
}

model::Module SymbolFiles::module(model::FileId id) {
  const auto info = files_.info(id);
  if (!info) return {};
  return {info->path, info->build_id};
}

bool SymbolFiles::is_interpreter(model::FileId id) {
  const auto* file = catalog_.find(id);
  return file != nullptr && file->interpreter.has_value();
}

Fd SymbolFiles::open_perf_map(model::ProcessId process) {
  const auto info = directory_.describe(process, 0);
  if (info.pid == 0 || directory_.live_process(info.pid) != process) return Fd();
  const int32_t known_as = info.namespace_pid != 0 ? info.namespace_pid : info.pid;
  const process::ProcFs proc;
  Fd dump = process::open_jit_dump(proc, info.pid, known_as);
  return dump.valid() ? std::move(dump) : process::open_perf_map(proc, info.pid, known_as);
}

}  // namespace pyprof::engine
