// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"

namespace pyprof::probe {

// The reading side of a BPF ring buffer map (layout: kernel 5.8, kernel/bpf/ringbuf.c: a consumer
// page, a producer page, the data mapped twice in a row). One reading thread.
class Ring {
 public:
  // `map_fd` stays the caller's; `bytes` is the map's max_entries.
  static Result<Ring> open(int map_fd, uint64_t bytes);

  // Hands over every record that is complete now, oldest first, at most those that were there at
  // the start. The span is valid during the call only. Returns how many.
  uint64_t consume(const std::function<void(std::span<const uint8_t>)>& take);

  [[nodiscard]] uint64_t pending_bytes() const;
  [[nodiscard]] uint64_t size_bytes() const { return bytes_; }

 private:
  Ring(Mmap consumer, Mmap producer, uint64_t bytes)
      : consumer_(std::move(consumer)), producer_(std::move(producer)), bytes_(bytes) {}

  Mmap consumer_;
  Mmap producer_;  // producer page and both copies of the data
  uint64_t bytes_;
};

}  // namespace pyprof::probe
