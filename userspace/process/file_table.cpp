// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/file_table.h"

#include <algorithm>
#include <unordered_set>

#include "userspace/process/proc_maps.h"

namespace pyprof::process {
namespace {

constexpr std::size_t kMaxGenerations = 4;  // of one inode number; the oldest goes
constexpr std::size_t kMaxAliases = 8;      // names per file, on average
constexpr std::size_t kEvictedShare = 16;   // an eviction frees one sixteenth

std::string variant_name(const std::string& build_id, const model::Mapping& mapping) {
  return build_id + ":" + mapping.path;
}

std::string tail(std::string_view path, std::size_t max_bytes) {
  return std::string(path.substr(path.size() - std::min(path.size(), max_bytes)));
}

}  // namespace

std::optional<FileBinding> FileTable::find(const model::Mapping& mapping) {
  const std::lock_guard lock(mutex_);
  const auto id = lookup(mapping);
  if (id == 0) return std::nullopt;
  return bind(id, mapping);
}

Result<FileBinding> FileTable::identify(const ProcFs& proc, int32_t pid,
                                        const model::Mapping& mapping) {
  if (const auto known = find(mapping)) return *known;
  auto file = open_mapping(proc, pid, mapping);
  if (!file) return file.error();
  auto facts = read_facts(*file);
  if (!facts) return facts.error();
  const std::lock_guard lock(mutex_);
  return bind(add(mapping, std::move(*facts)), mapping);
}

std::optional<model::FileInfo> FileTable::info(model::FileId id) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end()) return std::nullopt;
  found->second.last_use = ++uses_;
  return found->second.info;
}

std::size_t FileTable::size() const {
  const std::lock_guard lock(mutex_);
  return files_.size();
}

uint64_t FileTable::evicted() const {
  const std::lock_guard lock(mutex_);
  return evicted_;
}

model::FileId FileTable::lookup(const model::Mapping& mapping) const {
  if (is_vdso(mapping)) return vdso_;
  if (!has_file(mapping)) return 0;
  return mapping.file.inode != 0 ? lookup_inode(mapping) : lookup_build_id(mapping);
}

model::FileId FileTable::lookup_inode(const model::Mapping& mapping) const {
  const auto owners = inodes_.find({mapping.file.device, mapping.file.inode});
  if (owners == inodes_.end()) return 0;
  const uint64_t wanted = mapping.file.inode_generation;
  for (auto owner = owners->second.rbegin(); owner != owners->second.rend(); ++owner) {
    if (owner->generation == wanted || owner->generation == 0 || wanted == 0) return owner->file;
  }
  return 0;
}

model::FileId FileTable::lookup_build_id(const model::Mapping& mapping) const {
  const auto build_id = hex(mapping.build_id);
  const auto variant = variants_.find(variant_name(build_id, mapping));
  if (variant != variants_.end()) return variant->second;
  const auto files = build_ids_.find(build_id);
  if (files == build_ids_.end()) return 0;
  model::FileId only = 0;
  for (const auto id : files->second) {
    if (!files_.at(id).facts.maps_whole_segment(mapping)) continue;
    if (only != 0) return 0;
    only = id;
  }
  return only;
}

model::FileId FileTable::same_image(const FileFacts& facts) const {
  const auto files = build_ids_.find(facts.build_id);
  if (facts.build_id.empty() || files == build_ids_.end()) return 0;
  for (const auto id : files->second) {
    if (files_.at(id).facts.same_image(facts)) return id;
  }
  return 0;
}

model::FileId FileTable::add(const model::Mapping& mapping, FileFacts facts) {
  // Another thread may have read the same file meanwhile.
  if (const auto known = lookup(mapping)) return known;
  const auto seen = facts.key;
  auto id = same_image(facts);
  if (id == 0) id = add_file(mapping, std::move(facts));
  add_names(mapping, seen, id);
  return id;
}

model::FileId FileTable::add_file(const model::Mapping& mapping, FileFacts facts) {
  if (files_.size() >= max_files_) evict();
  const auto id = next_id_++;
  File file;
  file.info = {id, tail(without_deleted(mapping.path), kMaxPathBytes), facts.build_id};
  if (!facts.build_id.empty()) build_ids_[facts.build_id].push_back(id);
  file.facts = std::move(facts);
  files_.emplace(id, std::move(file));
  return id;
}

// `seen` is what fstat said of the opened file. Its generation holds for the mapping's inode if the
// inode is the same; its device may well differ, see open_mapping().
void FileTable::add_names(const model::Mapping& mapping, const model::FileKey& seen,
                          model::FileId id) {
  if (is_vdso(mapping)) {
    vdso_ = id;
    return;
  }
  if (inodes_.size() + variants_.size() > max_files_ * kMaxAliases) {
    inodes_.clear();
    variants_.clear();
  }
  if (mapping.file.inode == 0) {
    if (lookup(mapping) != id) variants_[variant_name(hex(mapping.build_id), mapping)] = id;
    return;
  }
  auto& owners = inodes_[{mapping.file.device, mapping.file.inode}];
  uint64_t generation = mapping.file.inode_generation;
  if (generation == 0 && seen.inode == mapping.file.inode) generation = seen.inode_generation;
  if (owners.size() >= kMaxGenerations) owners.erase(owners.begin());
  owners.push_back({generation, id});
}

FileBinding FileTable::bind(model::FileId id, const model::Mapping& mapping) {
  auto& file = files_.at(id);
  file.last_use = ++uses_;
  return {id, file.facts.bias(mapping)};
}

void FileTable::evict() {
  std::vector<std::pair<uint64_t, model::FileId>> by_use;
  by_use.reserve(files_.size());
  for (const auto& [id, file] : files_)
    by_use.emplace_back(file.last_use, id);
  const auto count = std::max<std::size_t>(1, by_use.size() / kEvictedShare);
  std::nth_element(by_use.begin(), by_use.begin() + static_cast<std::ptrdiff_t>(count - 1),
                   by_use.end());
  std::unordered_set<model::FileId> gone;
  for (std::size_t i = 0; i < count; ++i)
    gone.insert(by_use[i].second);
  const auto is_gone = [&](model::FileId id) { return gone.contains(id); };
  std::erase_if(files_, [&](const auto& entry) { return is_gone(entry.first); });
  std::erase_if(variants_, [&](const auto& entry) { return is_gone(entry.second); });
  for (auto& [build_id, ids] : build_ids_)
    std::erase_if(ids, is_gone);
  std::erase_if(build_ids_, [](const auto& entry) { return entry.second.empty(); });
  for (auto& [inode, owners] : inodes_) {
    std::erase_if(owners, [&](const Owner& owner) { return is_gone(owner.file); });
  }
  std::erase_if(inodes_, [](const auto& entry) { return entry.second.empty(); });
  if (is_gone(vdso_)) vdso_ = 0;
  evicted_ += count;
}

}  // namespace pyprof::process
