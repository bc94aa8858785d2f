// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "bpf/wire.h"

// Room in the arrays that the unwinders read, written through shared memory. Knows nothing of files
// and processes. One thread.
namespace pyprof::probe {

// First fit over [0, size).
class RangeAllocator {
 public:
  explicit RangeAllocator(uint32_t size);
  // First element; empty = no room.
  std::optional<uint32_t> take(uint32_t count);
  void give_back(uint32_t first, uint32_t count);
  // take() would succeed.
  [[nodiscard]] bool fits(uint32_t count) const;
  [[nodiscard]] uint32_t used() const { return used_; }
  [[nodiscard]] uint32_t size() const { return size_; }

 private:
  uint32_t size_;
  std::atomic<uint32_t> used_{0};      // read by other threads for metrics
  std::map<uint32_t, uint32_t> free_;  // first -> count
};

// Where a file's rows lie.
struct FilePlacement {
  uint32_t row_first = 0;
  uint32_t row_count = 0;
  uint32_t index_first = 0;
  uint32_t index_count = 0;
};

// The shared memory of the maps.
struct TableMemory {
  std::span<uint32_t> rows;  // only what was reached may be touched
  std::span<uint32_t> index;
  std::span<uint32_t> dictionary;
  std::span<wire_mapping> mappings;
  std::span<wire_python_config> pythons;
  // Makes rows below `end` usable; false if there is no memory for them. Empty = all are.
  std::function<bool(uint32_t end)> reach_rows;
};

// What is given back is reused only after a grace time: a program that runs right now may still
// look at it.
class TableStore {
 public:
  static constexpr uint64_t kGraceNs = 500'000'000;

  explicit TableStore(TableMemory memory);

  // Elements of `rows` that place_file() looks for; it may take fewer. Empty = more than there can
  // be.
  [[nodiscard]] static std::optional<uint32_t> room_for(std::span<const uint32_t> index);
  // Copies a packed table (elf::PackedTable) in, page by page, so that files share chunks; empty =
  // no room. Every page of `index` lies in `rows`.
  std::optional<FilePlacement> place_file(std::span<const uint32_t> rows,
                                          std::span<const uint32_t> index);
  // The rule in full, of wire.h, for the address that lies `offset` bytes after the first of the
  // file's index. Any thread, up to kGraceNs after remove_file().
  [[nodiscard]] uint32_t rule_at(const FilePlacement& file, uint64_t offset) const;
  void remove_file(const FilePlacement& placement, uint64_t now_ns);
  // The dictionary only grows.
  void write_dictionary(std::span<const uint32_t> rules);

  // Sorted by start. First element; empty = no room.
  std::optional<uint32_t> place_mappings(std::span<const wire_mapping> mappings);
  void remove_mappings(uint32_t first, uint32_t count, uint64_t now_ns);

  std::optional<uint32_t> place_python(const wire_python_config& config);
  void remove_python(uint32_t slot, uint64_t now_ns);

  // A number for a new version of a process's tables; never twice the same.
  uint32_t next_generation() { return ++generation_; }

  void reclaim(uint64_t now_ns);

  // Given back by remove_file() and not to be used again yet.
  [[nodiscard]] uint32_t pending_rows() const { return pending(rows_); }
  [[nodiscard]] uint32_t pending_index() const { return pending(index_); }

  [[nodiscard]] const RangeAllocator& rows() const { return rows_; }
  [[nodiscard]] const RangeAllocator& index() const { return index_; }
  [[nodiscard]] const RangeAllocator& mappings() const { return mappings_; }
  [[nodiscard]] const RangeAllocator& pythons() const { return pythons_; }

 private:
  struct Grave {
    uint64_t time_ns;
    RangeAllocator* allocator;
    uint32_t first;
    uint32_t count;
  };
  [[nodiscard]] uint32_t pending(const RangeAllocator& allocator) const;

  TableMemory memory_;
  RangeAllocator rows_;
  RangeAllocator index_;
  RangeAllocator mappings_;
  RangeAllocator pythons_;
  std::deque<Grave> graves_;
  uint32_t generation_ = 0;
};

}  // namespace pyprof::probe
