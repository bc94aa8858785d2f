// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"
#include "userspace/reader/protocol.h"

// The rights that are left to the code that parses other people's files.
namespace pyprof::reader {

// The system calls it may make: reading and mapping what is open already, memory, writing the
// result, ending. Built once, because building costs more than entering.
class Sandbox {
 public:
  [[nodiscard]] static Result<Sandbox> build();
  // For good: no capability, no other descriptor than those given, no new process or privilege, the
  // request's limits of memory, CPU time and bytes written, and the filter; anything else ends the
  // process with SIGSYS. With AddressSanitizer, which needs terabytes of address space and calls of
  // its own, neither limits of memory nor filter.
  [[nodiscard]] Result<void> enter(const Request& request, std::span<const Fd> kept) const;

 private:
  struct Release {
    void operator()(void* filter) const;
  };
  explicit Sandbox(void* filter) : filter_(filter) {}
  std::unique_ptr<void, Release> filter_;
};

}  // namespace pyprof::reader
