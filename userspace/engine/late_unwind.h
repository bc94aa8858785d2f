// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "userspace/model/sample.h"

// Goes on with a native stack where the kernel had no tables: of processes that have just begun,
// and of files that were being read. By the same rows, on a copy of the stack.
namespace pyprof::engine {

struct LateTables {
  // The file that the process had at `pc` when the stack was taken; file 0 = none is known yet.
  std::function<model::NativeAddress(uint64_t pc)> resolve;
  // A rule in full, of bpf/wire.h; WIRE_RULE_NONE if the file says nothing of the address. Nothing
  // = the file is still being read.
  std::function<std::optional<uint32_t>(const model::NativeAddress& where)> rule;
};

// Appends to stack.native, resolved, and says in native_end why it ends; the piece goes. But
// nothing changes, and false is returned, if a file or rule is still to come and it is not the
// `last_try`.
[[nodiscard]] bool unwind_late(model::RawStack& stack, const LateTables& tables, bool last_try);

}  // namespace pyprof::engine
