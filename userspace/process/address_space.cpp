// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/address_space.h"

#include <algorithm>

#include "bpf/wire.h"
#include "userspace/process/proc_maps.h"

namespace pyprof::process {
namespace {

// Inode and build-id are compared where both sides have them: a scan of /proc knows no build-id,
// the side band knows no inode where it sends the build-id.
bool same_file(const model::Mapping& a, const model::Mapping& b) {
  if (a.file.inode != 0 && b.file.inode != 0) {
    const uint64_t x = a.file.inode_generation;
    const uint64_t y = b.file.inode_generation;
    return a.file.device == b.file.device && a.file.inode == b.file.inode &&
           (x == y || x == 0 || y == 0);
  }
  if (!a.build_id.empty() && !b.build_id.empty()) return a.build_id == b.build_id;
  return without_deleted(a.path) == without_deleted(b.path);
}

// Whether an address means the same in both. Offsets of anonymous memory mean nothing.
bool same_image(const model::Mapping& a, const model::Mapping& b) {
  if (!same_file(a, b)) return false;
  return !has_file(a) || is_vdso(a) || a.start - a.file_offset == b.start - b.file_offset;
}

model::Mapping part_of(const model::Mapping& mapping, uint64_t start, uint64_t end) {
  model::Mapping part = mapping;
  part.start = std::max(start, mapping.start);
  part.end = std::min(end, mapping.end);
  part.file_offset += part.start - mapping.start;
  return part;
}

}  // namespace

std::size_t AddressSpace::first_ending_after(uint64_t address) const {
  const auto at = std::upper_bound(
      ranges_.begin(), ranges_.end(), address,
      [](uint64_t value, const MappedRange& range) { return value < range.mapping.end; });
  return static_cast<std::size_t>(at - ranges_.begin());
}

bool AddressSpace::lies_there(const model::Mapping& mapping) const {
  const auto at = first_ending_after(mapping.start);
  if (at == ranges_.size()) return false;
  const auto& there = ranges_[at].mapping;
  return there.start <= mapping.start && mapping.end <= there.end && same_image(there, mapping);
}

std::vector<model::Mapping> AddressSpace::not_covered_by_newer(const model::Mapping& mapping,
                                                               uint64_t time_ns) const {
  std::vector<model::Mapping> parts;
  uint64_t start = mapping.start;
  for (auto at = first_ending_after(start); at < ranges_.size(); ++at) {
    const auto& there = ranges_[at];
    if (there.mapping.start >= mapping.end) break;
    if (there.mapped_ns <= time_ns) continue;
    if (there.mapping.start > start) parts.push_back(part_of(mapping, start, there.mapping.start));
    start = there.mapping.end;
  }
  if (start < mapping.end) parts.push_back(part_of(mapping, start, mapping.end));
  return parts;
}

bool AddressSpace::map(const model::Mapping& mapping, uint64_t time_ns) {
  if (mapping.start >= mapping.end) return false;
  bool changed = false;
  for (const auto& piece : not_covered_by_newer(mapping, time_ns)) {
    changed = map_piece(piece, time_ns) || changed;
  }
  return changed;
}

bool AddressSpace::map_piece(const model::Mapping& piece, uint64_t time_ns) {
  if (lies_there(piece)) return false;
  const bool removed = take_out(piece.start, piece.end, &piece, time_ns);
  if (ranges_.size() >= WIRE_MAX_MAPPINGS) {
    ++dropped_;
    return removed;
  }
  const auto at = static_cast<std::ptrdiff_t>(first_ending_after(piece.start));
  ranges_.insert(ranges_.begin() + at, {piece, time_ns, {}});
  return true;
}

// Removes [start, end) from all ranges that are not newer than `time_ns`. What another image takes
// is remembered as replaced.
bool AddressSpace::take_out(uint64_t start, uint64_t end, const model::Mapping* by,
                            uint64_t time_ns) {
  bool changed = false;
  auto range = ranges_.begin() + static_cast<std::ptrdiff_t>(first_ending_after(start));
  while (range != ranges_.end() && range->mapping.start < end) {
    if (range->mapped_ns > time_ns) {
      ++range;
      continue;
    }
    changed = true;
    if (by != nullptr && !same_image(range->mapping, *by)) {
      MappedRange gone{part_of(range->mapping, start, end), range->mapped_ns, range->binding};
      if (replaced_.size() >= kMaxReplaced) replaced_.erase(replaced_.begin());
      replaced_.push_back({std::move(gone), time_ns});
    }
    range = cut(range, start, end);
  }
  return changed;
}

// Leaves of one range what lies outside [start, end). Gives the range after it.
AddressSpace::Iterator AddressSpace::cut(Iterator range, uint64_t start, uint64_t end) {
  const bool keep_left = range->mapping.start < start;
  const bool keep_right = range->mapping.end > end;
  if (!keep_left && !keep_right) return ranges_.erase(range);
  MappedRange right = *range;
  if (keep_right) right.mapping = part_of(range->mapping, end, range->mapping.end);
  if (!keep_left) {
    *range = std::move(right);
    return range + 1;
  }
  range->mapping.end = start;
  if (!keep_right) return range + 1;
  if (ranges_.size() >= WIRE_MAX_MAPPINGS) {
    ++dropped_;
    return range + 1;
  }
  return ranges_.insert(range + 1, std::move(right)) + 1;
}

AddressSpace AddressSpace::split_newer(uint64_t time_ns) {
  AddressSpace newer;
  std::vector<MappedRange> older;
  for (auto& range : ranges_) {
    (range.mapped_ns > time_ns ? newer.ranges_ : older).push_back(std::move(range));
  }
  ranges_ = std::move(older);
  return newer;
}

bool AddressSpace::merge_scan(const std::vector<model::Mapping>& seen, uint64_t time_ns) {
  bool changed = false;
  uint64_t gap_start = 0;
  for (const auto& mapping : seen) {
    if (mapping.start > gap_start) {
      changed = take_out(gap_start, mapping.start, nullptr, time_ns) || changed;
    }
    changed = map(mapping, time_ns) || changed;
    gap_start = std::max(gap_start, mapping.end);
  }
  return take_out(gap_start, UINT64_MAX, nullptr, time_ns) || changed;
}

MappedRange* AddressSpace::find(uint64_t pc, uint64_t time_ns) {
  for (auto& old : replaced_) {
    const auto& mapping = old.range.mapping;
    const bool then = old.range.mapped_ns <= time_ns && time_ns < old.replaced_ns;
    if (then && mapping.start <= pc && pc < mapping.end) return &old.range;
  }
  const auto at = first_ending_after(pc);
  if (at == ranges_.size() || ranges_[at].mapping.start > pc) return nullptr;
  return &ranges_[at];
}

bool AddressSpace::replaced_between(uint64_t pc, uint64_t after_ns, uint64_t until_ns) const {
  return std::any_of(replaced_.begin(), replaced_.end(), [&](const ReplacedRange& old) {
    const auto& mapping = old.range.mapping;
    return mapping.start <= pc && pc < mapping.end && after_ns < old.replaced_ns &&
           old.replaced_ns <= until_ns;
  });
}

}  // namespace pyprof::process
