// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/aggregate/view.h"
#include "userspace/model/profile.h"

namespace pyprof::daemon {

// Fills Profile::source for the lines with most self time in this view, from the files as the
// processes see them now; of a process that has ended from the host's, unless it ran in a
// container. What was edited since it was loaded shows the new text.
void add_source_text(model::Profile& profile, const aggregate::ViewOptions& view);

}  // namespace pyprof::daemon
