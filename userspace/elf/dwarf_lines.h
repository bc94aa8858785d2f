// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/base/result.h"

// Lines and inlined functions from DWARF, read by libdw, which trusts its input: a damaged file can
// crash it, take long or much memory. To be used in a process that may die
// (symbolize/line_child.h).
namespace pyprof::elf {

struct SourceFrame {
  std::string function;  // mangled, as the linker would see it, else the plain name; "" = unknown
  std::string file;      // as compiled, absolute if the directory is known; "" = unknown
  uint32_t line = 0;     // that runs; 0 = unknown
  uint32_t first_line = 0;  // where the function is declared; 0 = unknown
};

// Not thread-safe.
class DwarfFile {
 public:
  static constexpr std::size_t kMaxNameBytes = 1024;
  static constexpr std::size_t kMaxPathBytes = 1024;

  // A file with .debug_info. Fails if libdw finds none in it.
  static Result<DwarfFile> open(Fd file);
  DwarfFile(DwarfFile&&) noexcept;
  DwarfFile& operator=(DwarfFile&&) noexcept;
  ~DwarfFile();

  // What lies at a virtual address of the file: the innermost inlined function first, the function
  // that they were inlined into last. Empty if the file does not say.
  std::vector<SourceFrame> find(uint64_t address);

 private:
  struct State;
  explicit DwarfFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pyprof::elf
