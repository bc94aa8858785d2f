// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "userspace/base/fd.h"

// What libFuzzer and replay.cpp call. 0: the input may be kept.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes);

namespace pyprof::fuzz {

// The input as a file in memory.
inline Fd file_of(std::span<const uint8_t> bytes) {
  Fd file(::memfd_create("input", MFD_CLOEXEC));
  const bool written =
      ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  return written ? std::move(file) : Fd();
}

}  // namespace pyprof::fuzz
