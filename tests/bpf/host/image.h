// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/bpf/host/host_api.h"
#include "userspace/python/memory.h"

// A real process, stopped, as the sampler sees it: registers, memory page by page (read once,
// kept), and the tables that userspace would give the kernel.
namespace pyprof::bpftest {

inline constexpr uint64_t kPageBytes = 4096;

class Image final : public python::Memory {
 public:
  // Waits until the child has stopped itself by SIGSTOP and takes hold of it. A failed attempt says
  // why in error().
  explicit Image(pid_t pid);
  ~Image() override;

  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] const host_regs& regs() const { return regs_; }
  [[nodiscard]] const host_task& task() const { return task_; }
  [[nodiscard]] pid_t pid() const { return pid_; }

  bool read(uint64_t from, void* to, std::size_t bytes) const override;
  // Overwrites our copy, not the process.
  void poke(uint64_t at, const void* bytes, std::size_t count);
  // Forgets what was overwritten.
  void mend() { pages_.clear(); }
  // The pages that are not resident from now on.
  void fault(std::set<uint64_t> pages) { faulted_ = std::move(pages); }
  void watch() { touched_.clear(); }
  // Pages read since watch().
  [[nodiscard]] const std::set<uint64_t>& touched() const { return touched_; }

  struct Mapping {
    uint64_t start = 0, end = 0, offset = 0;
    std::string path;
  };
  // Executable mappings.
  [[nodiscard]] const std::vector<Mapping>& mappings() const { return mappings_; }

 private:
  using Page = std::array<uint8_t, kPageBytes>;
  Page* page(uint64_t address) const;
  void read_maps();
  void read_stack_top();

  pid_t pid_;
  int memory_ = -1;
  std::string error_;
  host_regs regs_{};
  host_task task_{};
  std::vector<Mapping> mappings_;
  mutable std::map<uint64_t, std::optional<Page>> pages_;
  mutable std::set<uint64_t> touched_;
  std::set<uint64_t> faulted_;
};

// Resets the fake kernel and fills it for `image`: task, memory, unwind tables, an entry in `procs`
// that says WIRE_NO_SLOT for Python. The image has to outlive its use.
void install(Image& image);

// Fills pythons[0] and points the process at it. False if the image has no supported interpreter.
bool install_python(Image& image);

}  // namespace pyprof::bpftest
