// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/tables.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pyprof::probe {

namespace {

constexpr uint32_t kMaxPageRows = 255;  // 8 bits of an index entry

}  // namespace

RangeAllocator::RangeAllocator(uint32_t size) : size_(size) {
  if (size_ > 0) free_.emplace(0, size_);
}

std::optional<uint32_t> RangeAllocator::take(uint32_t count) {
  for (auto it = free_.begin(); it != free_.end(); ++it) {
    if (it->second < count) continue;
    const uint32_t first = it->first, left = it->second - count;
    free_.erase(it);
    if (left > 0) free_.emplace(first + count, left);
    used_ += count;
    return first;
  }
  return std::nullopt;
}

bool RangeAllocator::fits(uint32_t count) const {
  return std::any_of(free_.begin(), free_.end(),
                     [count](const auto& range) { return range.second >= count; });
}

void RangeAllocator::give_back(uint32_t first, uint32_t count) {
  used_ -= count;
  auto it = free_.emplace(first, count).first;
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
    : memory_(std::move(memory)),
      rows_(static_cast<uint32_t>(memory_.rows.size())),
      index_(static_cast<uint32_t>(memory_.index.size())),
      mappings_(static_cast<uint32_t>(memory_.mappings.size())),
      pythons_(static_cast<uint32_t>(memory_.pythons.size())) {}

// A page's rows lie in one chunk: so many elements are enough wherever the first one is.
std::optional<uint32_t> TableStore::room_for(std::span<const uint32_t> index) {
  uint64_t rows = 0, longest = 1;
  for (const uint32_t entry : index) {
    rows += entry & kMaxPageRows;
    longest = std::max<uint64_t>(longest, entry & kMaxPageRows);
  }
  const uint64_t padding = longest - 1;
  const uint64_t room = rows + padding * (rows / (WIRE_ROW_CHUNK - padding) + 2);
  if (room > UINT32_MAX) return std::nullopt;
  return static_cast<uint32_t>(room);
}

std::optional<FilePlacement> TableStore::place_file(std::span<const uint32_t> rows,
                                                    std::span<const uint32_t> index) {
  const auto room = room_for(index);
  const auto row_first = room ? rows_.take(*room) : std::nullopt;
  if (!row_first) return std::nullopt;
  const auto index_count = static_cast<uint32_t>(index.size());
  const auto index_first = index_.take(index_count);
  if (!index_first || (memory_.reach_rows && !memory_.reach_rows(*row_first + *room))) {
    rows_.give_back(*row_first, *room);
    if (index_first) index_.give_back(*index_first, index_count);
    return std::nullopt;
  }
  uint32_t next = *row_first;
  for (uint32_t i = 0; i < index_count; ++i) {
    const uint32_t count = index[i] & kMaxPageRows, in_chunk = next % WIRE_ROW_CHUNK;
    if (in_chunk + count > WIRE_ROW_CHUNK) next += WIRE_ROW_CHUNK - in_chunk;
    std::copy_n(rows.begin() + (index[i] >> 8), count, memory_.rows.begin() + next);
    memory_.index[*index_first + i] = next << 8 | count;
    next += count;
  }
  const uint32_t used = next - *row_first;
  if (used < *room) rows_.give_back(next, *room - used);
  return FilePlacement{*row_first, used, *index_first, index_count};
}

uint32_t TableStore::rule_at(const FilePlacement& file, uint64_t offset) const {
  const uint64_t page = offset >> WIRE_PAGE_BITS;
  if (page >= file.index_count) return WIRE_RULE_NONE;
  const uint32_t entry = memory_.index[file.index_first + page];
  const auto rows = memory_.rows.subspan(entry >> 8, entry & kMaxPageRows);
  const auto above = std::upper_bound(rows.begin(), rows.end(), offset & 0xffff,
                                      [](uint64_t low, uint32_t row) { return low < row >> 16; });
  if (above == rows.begin()) return WIRE_RULE_NONE;
  const uint32_t rule = *std::prev(above) & 0xffff;
  if ((rule & 3) < 2) return (rule & 3) | rule >> 12 << 4 | (rule >> 2 & 0x3ff) << 10;
  return memory_.dictionary[rule >> 2 & (WIRE_DICT_RULES - 1)];
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
    if (grave.allocator == &allocator) count += grave.count;
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
