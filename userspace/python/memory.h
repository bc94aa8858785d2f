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

}  // namespace pyprof::python
