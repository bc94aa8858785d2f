// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/model/profile.h"

// What of a stack is shown. Views only hide: no sample and no weight is ever lost.
namespace pyprof::aggregate {

struct ViewOptions {
  bool native = false;       // every frame, the interpreter's own and those that started it too
  bool python_only = false;  // Python frames alone; wins over `native`
};

// Default: of stacks with a Python frame, everything from the outermost Python frame inwards but
// the interpreter's own C code; of others, every frame. Markers always stay. A stack that would
// show nothing of Python under `python_only` gets the marker "[no Python frame]". Stacks of one
// thread that became equal are merged, if their labels are equal, too. Other tables are left as
// they are, so some frames may be unused.
[[nodiscard]] model::Profile apply_view(const model::Profile& profile, const ViewOptions& options);

}  // namespace pyprof::aggregate
