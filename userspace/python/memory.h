// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// Memory of a profiled process, read from outside while it runs: what is read may be torn, freed or
// forged, so that every reader checks and bounds what it gets.
namespace pyprof::python {

class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  virtual ~Memory() = default;

  // False = not all `bytes` could be read; `out` is then undefined. May be called by any thread.
  virtual bool read(uint64_t address, void* out, std::size_t bytes) const = 0;

  template <typename T>
  bool read_value(uint64_t address, T& value) const {
    return read(address, &value, sizeof(value));
  }
};

// A live process by pid in our own PID namespace. Needs the right to ptrace it. The process is not
// stopped, but a page backed by FUSE or a dead network file system can block the caller: call it
// from a thread that has a deadline and may be given up. The caller makes sure that the pid still
// is the process it means.
class ProcessMemory final : public Memory {
 public:
  explicit ProcessMemory(int pid) : pid_(pid) {}
  bool read(uint64_t address, void* out, std::size_t bytes) const override;

 private:
  const int pid_;
};

// Another memory up to a number of reads and bytes: a forged process could lead a reader through
// gigabytes in small steps. For one thread.
class BoundedMemory final : public Memory {
 public:
  // `memory` outlives it.
  BoundedMemory(const Memory& memory, uint32_t reads, uint64_t bytes)
      : memory_(memory), reads_left_(reads), bytes_left_(bytes) {}
  bool read(uint64_t address, void* out, std::size_t bytes) const override;

 private:
  const Memory& memory_;
  mutable uint32_t reads_left_;
  mutable uint64_t bytes_left_;
};

}  // namespace pyprof::python
