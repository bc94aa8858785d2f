// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/file_catalog.h"

#include <fcntl.h>

#include <algorithm>

#include "userspace/base/clock.h"

namespace pyprof::engine {

namespace {

// Of all room, in percent: when more than the first is in use, unused rows are evicted until the
// second is free.
constexpr uint64_t kNearlyFull = 88;
constexpr uint64_t kSpare = 25;
// New rules of one file in the dictionary that all share and that never shrinks; compilers' files
// have 40 at most.
constexpr std::size_t kMaxFileRules = 512;
constexpr uint32_t kDictionaryTag = 2;
constexpr uint32_t kTagMask = 3;
constexpr uint32_t kIndexMask = 0x3fff << 2;

bool fuller_than(const probe::RangeAllocator& room, uint64_t percent) {
  return uint64_t{room.used()} * 100 > uint64_t{room.size()} * percent;
}

Fd copy_of(const Fd& fd) {
  return fd.valid() ? Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)) : Fd();
}

}  // namespace

const LoadedFile* FileCatalog::find(model::FileId id) const {
  const std::lock_guard lock(mutex_);
  const auto it = loaded_.find(id);
  return it == loaded_.end() ? nullptr : it->second.get();
}

Fd FileCatalog::keep_open(model::FileId id, Fd fd, int32_t pid) {
  const std::lock_guard lock(mutex_);
  const auto kept = open_.find(id);
  if (kept != open_.end()) return copy_of(kept->second.fd);
  if (!fd.valid() || open_.size() >= kMaxOpenFiles) return fd;
  Fd copy = copy_of(fd);
  open_.emplace(id, OpenFile{std::move(fd), pid});
  return copy;
}

LoadedFile& FileCatalog::slot(model::FileId id) {
  const std::lock_guard lock(mutex_);
  return *loaded_.at(id);
}

// Users of a file's rows hold on to its LoadedFile, so one that is read again stays where it is.
void FileCatalog::place(model::FileId id, const reader::ReadResult& result) {
  const auto info = files_.info(id);
  const auto* tables = std::get_if<reader::FileTables>(&result);
  if (find(id) == nullptr) {
    auto file = std::make_unique<LoadedFile>();
    if (tables != nullptr) {
      file->interpreter = tables->interpreter;
      file->tsd = tables->tsd;
      file->asyncio = tables->asyncio;
      file->debug_link = tables->debug_link;
    } else {
      const auto why = std::get<reader::Failure>(result);
      file->interpreter =
          reader::tables_of_unreadable(why, info ? info->path : std::string()).interpreter;
    }
    const std::lock_guard lock(mutex_);
    loaded_.emplace(id, std::move(file));
  }
  LoadedFile& file = slot(id);
  starved_.erase(id);
  if (file.rows == LoadedFile::Rows::kPlaced) return;
  file.rows = LoadedFile::Rows::kNone;
  if (tables != nullptr && !tables->packed.rows.empty()) place_rows(id, file, *tables);
  const std::lock_guard lock(mutex_);
  unplaced_ = starved_.size();
  readable_[id] = {file.rows == LoadedFile::Rows::kPlaced, file.placement, file.first_address};
}

std::optional<uint32_t> FileCatalog::rule(model::FileId id, uint64_t address) const {
  const std::lock_guard lock(mutex_);
  const auto file = readable_.find(id);
  if (file == readable_.end()) return std::nullopt;
  if (!file->second.rows || address < file->second.first_address) return WIRE_RULE_NONE;
  return tables_.rule_at(file->second.placement, address - file->second.first_address);
}

void FileCatalog::place_rows(model::FileId id, LoadedFile& file, const reader::FileTables& tables) {
  file.first_address = tables.first_address;
  file.end_address = tables.end_address;
  file.last_use_ns = monotonic_ns();
  const auto placement = tables_.place_file(translate(tables), tables.packed.index);
  if (placement) {
    file.placement = *placement;
    file.rows = LoadedFile::Rows::kPlaced;
    return;
  }
  file.rows = LoadedFile::Rows::kStarved;
  const auto room = probe::TableStore::room_for(tables.packed.index);
  starved_[id] = {room.value_or(UINT32_MAX), static_cast<uint32_t>(tables.packed.index.size())};
  evict_for(starved_[id]);
}

// The room comes free later; then the file is read again.
void FileCatalog::evict_for(const Need& need) {
  const uint64_t rows = uint64_t{tables_.rows().size()} - need.rows;
  const uint64_t index = uint64_t{tables_.index().size()} - need.index;
  if (need.rows > tables_.rows().size() || need.index > tables_.index().size()) return;
  const auto full = [&] {
    return tables_.rows().used() - tables_.pending_rows() > rows ||
           tables_.index().used() - tables_.pending_index() > index;
  };
  while (full() && evict_one()) {
  }
}

// The rows with indexes of the dictionary that all files share.
std::vector<uint32_t> FileCatalog::translate(const reader::FileTables& tables) {
  std::vector<uint32_t> shared(tables.rules.size());
  for (std::size_t i = 0; i < std::min(shared.size(), kMaxFileRules); ++i)
    shared[i] = dictionary_.index_of(tables.rules[i]);
  tables_.write_dictionary(dictionary_.rules());
  std::vector<uint32_t> rows = tables.packed.rows;
  for (uint32_t& row : rows) {
    if ((row & kTagMask) != kDictionaryTag) continue;
    row = (row & ~kIndexMask) | shared[(row & kIndexMask) >> 2] << 2;
  }
  return rows;
}

// The rows that nobody has used for longest.
bool FileCatalog::evict_one() {
  const std::lock_guard lock(mutex_);
  LoadedFile* oldest = nullptr;
  model::FileId oldest_id = 0;
  for (const auto& [id, file] : loaded_) {
    if (file->rows != LoadedFile::Rows::kPlaced || file->users != 0) continue;
    if (oldest != nullptr && file->last_use_ns >= oldest->last_use_ns) continue;
    oldest = file.get();
    oldest_id = id;
  }
  if (oldest == nullptr) return false;
  readable_.erase(oldest_id);
  tables_.remove_file(oldest->placement, monotonic_ns());
  oldest->rows = LoadedFile::Rows::kEvicted;
  oldest->placement = {};
  ++evicted_;
  return true;
}

void FileCatalog::make_room() {
  join_room();
  if (!fuller_than(tables_.rows(), kNearlyFull) && !fuller_than(tables_.index(), kNearlyFull)) {
    return;
  }
  const auto spare = [](const probe::RangeAllocator& room) {
    return static_cast<uint32_t>(uint64_t{room.size()} * kSpare / 100);
  };
  evict_for({spare(tables_.rows()), spare(tables_.index())});
}

// What is free may lie in pieces that are too small.
void FileCatalog::join_room() {
  if (tables_.pending_rows() > 0) return;
  for (const auto& [id, need] : starved_) {
    if (would_fit(id)) continue;
    while (tables_.pending_rows() < need.rows && evict_one()) {
    }
    return;
  }
}

bool FileCatalog::would_fit(model::FileId id) const {
  const auto need = starved_.find(id);
  return need != starved_.end() && tables_.rows().fits(need->second.rows) &&
         tables_.index().fits(need->second.index);
}

void FileCatalog::add_user(model::FileId id) {
  ++slot(id).users;
}

void FileCatalog::remove_user(model::FileId id) {
  LoadedFile& file = slot(id);
  --file.users;
  file.last_use_ns = monotonic_ns();
}

FileCatalog::OpenFile FileCatalog::duplicate(model::FileId id) const {
  const std::lock_guard lock(mutex_);
  const auto it = open_.find(id);
  return it == open_.end() ? OpenFile() : OpenFile{copy_of(it->second.fd), it->second.pid};
}

uint64_t FileCatalog::unplaced() const {
  const std::lock_guard lock(mutex_);
  return unplaced_;
}

uint64_t FileCatalog::evicted() const {
  const std::lock_guard lock(mutex_);
  return evicted_;
}

}  // namespace pyprof::engine
