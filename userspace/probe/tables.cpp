// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/tables.h"

#include <algorithm>
#include <iterator>

namespace pyprof::probe {

RangeAllocator::RangeAllocator(uint32_t size, uint32_t align)
    : size_(size / align * align), align_(align) {
  if (size_ > 0) free_.emplace(0, size_);
}

std::optional<uint32_t> RangeAllocator::take(uint32_t count) {
  const uint32_t wanted = rounded(count);
  for (auto it = free_.begin(); it != free_.end(); ++it) {
    if (it->second < wanted) continue;
    const uint32_t first = it->first, left = it->second - wanted;
    free_.erase(it);
    if (left > 0) free_.emplace(first + wanted, left);
    used_ += wanted;
    return first;
  }
  return std::nullopt;
}

bool RangeAllocator::fits(uint32_t count) const {
  return std::any_of(free_.begin(), free_.end(), [wanted = rounded(count)](const auto& range) {
    return range.second >= wanted;
  });
}

void RangeAllocator::give_back(uint32_t first, uint32_t count) {
  const uint32_t given = rounded(count);
  used_ -= given;
  auto it = free_.emplace(first, given).first;
  const auto next = std::next(it);
  if (next != free_.end() && it->first + it->second == next->first) {
    it->second += next->second;
    free_.erase(next);
  }
  if (it == free_.begin()) return;
  const auto before = std::prev(it);
  if (before->first + before->second != it->first) return;
  before->second += it->second;
  free_.erase(it);
}

TableStore::TableStore(TableMemory memory)
    : memory_(memory),
      rows_(static_cast<uint32_t>(memory.rows.size()), WIRE_ROW_CHUNK),
      index_(static_cast<uint32_t>(memory.index.size())),
      mappings_(static_cast<uint32_t>(memory.mappings.size())),
      pythons_(static_cast<uint32_t>(memory.pythons.size())) {}

std::optional<FilePlacement> TableStore::place_file(std::span<const uint32_t> rows,
                                                    std::span<const uint32_t> index) {
  const auto row_count = static_cast<uint32_t>(rows.size());
  const auto index_count = static_cast<uint32_t>(index.size());
  const auto row_first = rows_.take(row_count);
  if (!row_first) return std::nullopt;
  const auto index_first = index_.take(index_count);
  if (!index_first) {
    rows_.give_back(*row_first, row_count);
    return std::nullopt;
  }
  std::copy(rows.begin(), rows.end(), memory_.rows.begin() + *row_first);
  std::transform(index.begin(), index.end(), memory_.index.begin() + *index_first,
                 [first = *row_first](uint32_t entry) { return entry + (first << 8); });
  return FilePlacement{*row_first, row_count, *index_first, index_count};
}

void TableStore::remove_file(const FilePlacement& placement, uint64_t now_ns) {
  graves_.push_back({now_ns, &rows_, placement.row_first, placement.row_count});
  graves_.push_back({now_ns, &index_, placement.index_first, placement.index_count});
}

void TableStore::write_dictionary(std::span<const uint32_t> rules) {
  const std::size_t count = std::min(rules.size(), memory_.dictionary.size());
  std::copy_n(rules.begin(), count, memory_.dictionary.begin());
}

std::optional<uint32_t> TableStore::place_mappings(std::span<const wire_mapping> mappings) {
  const auto first = mappings_.take(static_cast<uint32_t>(mappings.size()));
  if (first) std::copy(mappings.begin(), mappings.end(), memory_.mappings.begin() + *first);
  return first;
}

void TableStore::remove_mappings(uint32_t first, uint32_t count, uint64_t now_ns) {
  if (count > 0) graves_.push_back({now_ns, &mappings_, first, count});
}

std::optional<uint32_t> TableStore::place_python(const wire_python_config& config) {
  const auto slot = pythons_.take(1);
  if (slot) memory_.pythons[*slot] = config;
  return slot;
}

void TableStore::remove_python(uint32_t slot, uint64_t now_ns) {
  graves_.push_back({now_ns, &pythons_, slot, 1});
}

uint32_t TableStore::pending(const RangeAllocator& allocator) const {
  uint32_t count = 0;
  for (const Grave& grave : graves_) {
    if (grave.allocator == &allocator) count += allocator.rounded(grave.count);
  }
  return count;
}

void TableStore::reclaim(uint64_t now_ns) {
  while (!graves_.empty() && graves_.front().time_ns + kGraceNs < now_ns) {
    graves_.front().allocator->give_back(graves_.front().first, graves_.front().count);
    graves_.pop_front();
  }
}

}  // namespace pyprof::probe
