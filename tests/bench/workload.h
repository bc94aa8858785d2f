// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"

// Programs to be sampled. Each is pinned to one CPU, in an autogroup of its own at nice -15, so
// that what else runs here takes little of that CPU, and dies with the benchmark.
namespace pyprof::bench {

// The CPU for workloads; everything else of the benchmark stays off it (where there are two).
int workload_cpu();
void leave_workload_cpu();
void use_all_cpus();

class Workload {
 public:
  // Returns once it has used 0.25 s of CPU time; it is left running. `inherited` stays open in it.
  static Result<Workload> start(const std::vector<std::string>& argv, int inherited = -1);
  ~Workload();
  Workload(Workload&& other) noexcept;
  Workload& operator=(Workload&&) = delete;

  void pause() const;
  void resume() const;  // and waits until it is warm again
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] uint64_t cpu_ns() const;
  [[nodiscard]] bool running() const;

 private:
  explicit Workload(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

// A page shared with a workload that counts what it has done.
class WorkCounter {
 public:
  static Result<WorkCounter> make();
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] uint64_t done() const;

 private:
  WorkCounter(Fd fd, Mmap page) : fd_(std::move(fd)), page_(std::move(page)) {}
  Fd fd_;
  Mmap page_;
};

void sleep_ms(uint32_t milliseconds);

}  // namespace pyprof::bench
