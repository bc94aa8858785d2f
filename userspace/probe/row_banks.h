// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"

// The kernel's array of unwind rows, in banks of 4 MiB that are made when they are needed: few
// hosts run programs that need more than one, some need a dozen.
namespace pyprof::probe {

// One thread, but for bytes().
class RowBanks {
 public:
  // Takes address space for `chunks` chunks and makes the first bank in `outer_fd`, the map of
  // maps, which the caller keeps open.
  static Result<RowBanks> make(int outer_fd, uint32_t chunks);

  // All rows; what lies at or above reach() may not be touched.
  [[nodiscard]] std::span<uint32_t> rows() const;
  // Makes what is missing below row `end`. False if the kernel has no memory for it.
  bool reach(uint32_t end);
  // Charged for the banks there are.
  [[nodiscard]] uint64_t bytes() const;

 private:
  RowBanks(int outer_fd, uint32_t chunks, Mmap space)
      : outer_fd_(outer_fd), chunks_(chunks), space_(std::move(space)) {}
  bool add_bank();

  int outer_fd_;
  uint32_t chunks_;
  Mmap space_;  // the banks are mapped into it, and go with it
  uint32_t banks_ = 0;
};

}  // namespace pyprof::probe
