// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/model/process.h"
#include "userspace/process/file_table.h"

// The executable mappings of one process over time. Operations carry the time they describe and may
// come late: what is newer stays. One thread.
namespace pyprof::process {

struct MappedRange {
  model::Mapping mapping;  // start, end and file_offset are of what is left of it
  uint64_t mapped_ns = 0;
  FileBinding binding;  // file 0: not known yet
};

// What was mapped until another file took its addresses.
struct ReplacedRange {
  MappedRange range;
  uint64_t replaced_ns = 0;
};

class AddressSpace {
 public:
  static constexpr std::size_t kMaxReplaced = 64;

  // Maps at `time_ns` over whatever lies there. False if nothing changed: the same file already
  // lies there the same way, all of it is covered by newer mappings, or the cap
  // (WIRE_MAX_MAPPINGS) is reached, which counts as dropped().
  bool map(const model::Mapping& mapping, uint64_t time_ns);
  // Moves out what was mapped after `time_ns`: at an exec, all that is the new program's.
  AddressSpace split_newer(uint64_t time_ns);
  // The mappings as a scan that began at `time_ns` saw them, by address. Newer ones stay, others
  // that the scan did not see go. True if anything changed.
  bool merge_scan(const std::vector<model::Mapping>& seen, uint64_t time_ns);

  // The mapping that a pc belonged to at a time; nullptr if none is known. For the caller to fill
  // in its binding.
  [[nodiscard]] MappedRange* find(uint64_t pc, uint64_t time_ns);
  // Another file took the address in (after_ns, until_ns].
  [[nodiscard]] bool replaced_between(uint64_t pc, uint64_t after_ns, uint64_t until_ns) const;

  // By address, not overlapping.
  [[nodiscard]] const std::vector<MappedRange>& ranges() const { return ranges_; }
  // Oldest first; the oldest goes when there are kMaxReplaced.
  [[nodiscard]] const std::vector<ReplacedRange>& replaced() const { return replaced_; }
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

 private:
  using Iterator = std::vector<MappedRange>::iterator;

  bool take_out(uint64_t start, uint64_t end, const model::Mapping* by, uint64_t time_ns);
  Iterator cut(Iterator range, uint64_t start, uint64_t end);
  bool map_piece(const model::Mapping& piece, uint64_t time_ns);
  [[nodiscard]] std::vector<model::Mapping> not_covered_by_newer(const model::Mapping& mapping,
                                                                 uint64_t time_ns) const;
  [[nodiscard]] bool lies_there(const model::Mapping& mapping) const;
  [[nodiscard]] std::size_t first_ending_after(uint64_t address) const;

  std::vector<MappedRange> ranges_;
  std::vector<ReplacedRange> replaced_;
  uint64_t dropped_ = 0;
};

}  // namespace pyprof::process
