// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/fd.h"

#include <sys/mman.h>

namespace pyprof {

Mmap::~Mmap() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

}  // namespace pyprof
