// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "userspace/base/fd.h"
#include "userspace/elf/symbols.h"
#include "userspace/model/profile.h"
#include "userspace/model/sample.h"

namespace pyprof::symbolize {

// What the caller knows of the files that samples point at. Must outlive whoever takes it.
class FileOpener {
 public:
  virtual ~FileOpener() = default;
  // Of the file, or of the vdso, and of its separate debug file if there is one; nothing if it
  // can't be read now, empty if it never will.
  virtual std::optional<elf::SymbolTable> symbols(model::FileId file) = 0;
  // The file or its separate debug file, whichever has DWARF; invalid if neither. Known once
  // symbols() was called.
  virtual Fd open_debug_info(model::FileId file) = 0;
  // As reports show it; an empty path if unknown.
  virtual model::Module module(model::FileId file) = 0;
  // The file holds CPython's own code: libpython or the python executable.
  virtual bool is_interpreter(model::FileId file) = 0;
  // What a JIT compiler says of its code (perf_map.h); invalid if there is none.
  virtual Fd open_perf_map(model::ProcessId process) = 0;
  // Files of which symbols() and open_debug_info() would say more than when they were last asked.
  virtual std::vector<model::FileId> take_improved() { return {}; }
};

}  // namespace pyprof::symbolize
