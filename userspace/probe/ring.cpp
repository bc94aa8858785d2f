// SPDX-License-Identifier: Apache-2.0
#include "userspace/probe/ring.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace pyprof::probe {

namespace {

constexpr uint32_t kFlags = BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT;

uint64_t load(const Mmap& page) {
  return __atomic_load_n(static_cast<const uint64_t*>(page.data()), __ATOMIC_ACQUIRE);
}

}  // namespace

Result<Ring> Ring::open(int map_fd, uint64_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* consumer = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (consumer == MAP_FAILED) return errno_error("mapping a BPF ring buffer", errno);
  Mmap first(consumer, page);
  const std::size_t rest = page + 2 * bytes;
  void* producer = ::mmap(nullptr, rest, PROT_READ, MAP_SHARED, map_fd, static_cast<off_t>(page));
  if (producer == MAP_FAILED) return errno_error("mapping a BPF ring buffer", errno);
  return Ring(std::move(first), Mmap(producer, rest), bytes);
}

uint64_t Ring::consume(const std::function<void(std::span<const uint8_t>)>& take) {
  const auto page = consumer_.bytes();
  const auto* data = static_cast<const uint8_t*>(producer_.data()) + page;
  auto* consumer = static_cast<uint64_t*>(consumer_.data());
  uint64_t position = load(consumer_), taken = 0;
  const uint64_t end = load(producer_);
  while (position < end) {
    const uint8_t* record = data + (position & (bytes_ - 1));
    const uint32_t head =
        __atomic_load_n(reinterpret_cast<const uint32_t*>(record), __ATOMIC_ACQUIRE);
    if ((head & BPF_RINGBUF_BUSY_BIT) != 0) break;
    const uint32_t length = head & ~kFlags;
    if ((head & BPF_RINGBUF_DISCARD_BIT) == 0) {
      take({record + BPF_RINGBUF_HDR_SZ, length});
      ++taken;
    }
    position += (uint64_t{length} + BPF_RINGBUF_HDR_SZ + 7) & ~uint64_t{7};
    __atomic_store_n(consumer, position, __ATOMIC_RELEASE);
  }
  return taken;
}

uint64_t Ring::pending_bytes() const {
  return load(producer_) - load(consumer_);
}

}  // namespace pyprof::probe
