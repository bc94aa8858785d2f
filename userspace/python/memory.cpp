// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/memory.h"

#include <sys/uio.h>

namespace pyprof::python {

bool ProcessMemory::read(uint64_t address, void* out, std::size_t bytes) const {
  const iovec local{out, bytes};
  const iovec remote{reinterpret_cast<void*>(address), bytes};
  return process_vm_readv(pid_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(bytes);
}

bool BoundedMemory::read(uint64_t address, void* out, std::size_t bytes) const {
  if (reads_left_ == 0 || bytes > bytes_left_) return false;
  --reads_left_;
  bytes_left_ -= bytes;
  return memory_.read(address, out, bytes);
}

}  // namespace pyprof::python
