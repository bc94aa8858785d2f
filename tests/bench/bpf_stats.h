// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"

// The kernel's own measurement of BPF programs. A program that tail-calls is charged for all it
// calls, so `on_cpu_tick` alone is the whole way of a sample.
namespace pyprof::bench {

// Makes the kernel measure while it lives; nothing stays switched on, however the process ends.
class BpfStats {
 public:
  static Result<BpfStats> enable();

 private:
  explicit BpfStats(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

struct ProgramRun {
  uint64_t run_ns = 0;
  uint64_t runs = 0;
  uint64_t verified_instructions = 0;

  ProgramRun operator-(const ProgramRun& before) const {
    return {run_ns - before.run_ns, runs - before.runs, verified_instructions};
  }
};

// Of the loaded program of this process with that name. kNotSupported if it holds none.
Result<ProgramRun> program_run(const std::string& name);

// Over all loaded programs of this process.
uint64_t verified_instructions();

}  // namespace pyprof::bench
