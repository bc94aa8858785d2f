// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/file_catalog.h"

#include <fcntl.h>

#include "userspace/elf/debug_files.h"
#include "userspace/process/debug_file.h"
#include "userspace/process/root_files.h"
#include "userspace/python/describe.h"

namespace pyprof::engine {
namespace {

Fd our_root() {
  return Fd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

std::optional<elf::ElfFile> parse(Fd fd) {
  if (!fd.valid()) return std::nullopt;
  auto elf = elf::ElfFile::open(std::move(fd));
  if (!elf) return std::nullopt;
  return std::move(*elf);
}

}  // namespace

const LoadedFile* FileCatalog::find(model::FileId id) const {
  const std::lock_guard lock(mutex_);
  const auto it = loaded_.find(id);
  return it == loaded_.end() ? nullptr : it->second.get();
}

void FileCatalog::read(LoadedFile& file, const elf::ElfFile& elf) {
  file.tsd = python::inspect_libc(elf);
  file.asyncio = python::inspect_asyncio(elf);
  file.has_debug_info = elf::has_debug_info(elf);
  const auto table = elf::read_unwind_table(elf);
  if (!table || table->rows.empty()) return;
  file.first_address = table->first_address;
  file.end_address = table->end_address;
  const elf::PackedTable packed = elf::pack(*table, dictionary_);
  tables_.write_dictionary(dictionary_.rules());
  file.placement = tables_.place_file(packed.rows, packed.index);
  if (!file.placement) ++unplaced_;
}

const LoadedFile& FileCatalog::load(model::FileId id, Fd fd, int32_t pid) {
  auto file = std::make_unique<LoadedFile>();
  const auto info = files_.info(id);
  const std::string path = info ? info->path : std::string();
  Fd kept(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  const auto elf = elf::ElfFile::open(std::move(fd));
  file->interpreter = python::inspect_mapped(elf, path);
  Fd debug;
  if (elf) {
    read(*file, *elf);
    debug = process::find_debug_file(process::open_root(process::ProcFs(), pid), path, *elf);
    if (!debug.valid()) debug = process::find_debug_file(our_root(), path, *elf);
  }
  const std::lock_guard lock(mutex_);
  if (kept.valid() && open_.size() < kMaxOpenFiles) open_.emplace(id, std::move(kept));
  if (debug.valid() && debug_.size() < kMaxDebugFiles) debug_.emplace(id, std::move(debug));
  auto& slot = loaded_[id];
  slot = std::move(file);
  return *slot;
}

Fd FileCatalog::duplicate(const Files& files, model::FileId id) const {
  const std::lock_guard lock(mutex_);
  const auto it = files.find(id);
  return it == files.end() ? Fd() : Fd(::fcntl(it->second.get(), F_DUPFD_CLOEXEC, 3));
}

std::optional<elf::ElfFile> FileCatalog::open(model::FileId id) {
  return parse(duplicate(open_, id));
}

std::optional<elf::ElfFile> FileCatalog::open_debug(model::FileId id) {
  return parse(duplicate(debug_, id));
}

Fd FileCatalog::open_debug_info(model::FileId id) {
  const auto* file = find(id);
  if (file == nullptr) return Fd();
  return duplicate(file->has_debug_info ? open_ : debug_, id);
}

model::Module FileCatalog::module(model::FileId id) {
  const auto info = files_.info(id);
  if (!info) return {};
  return {info->path, info->build_id};
}

bool FileCatalog::is_interpreter(model::FileId id) {
  const auto* file = find(id);
  return file != nullptr && file->interpreter.has_value();
}

Fd FileCatalog::open_perf_map(model::ProcessId process) {
  const auto info = directory_.describe(process, 0);
  if (info.pid == 0 || directory_.live_process(info.pid) != process) return Fd();
  const int32_t known_as = info.namespace_pid != 0 ? info.namespace_pid : info.pid;
  return process::open_perf_map(process::ProcFs(), info.pid, known_as);
}

uint64_t FileCatalog::unplaced() const {
  const std::lock_guard lock(mutex_);
  return unplaced_;
}

}  // namespace pyprof::engine
