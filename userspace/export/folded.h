// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/labels.h"
#include "userspace/model/profile.h"

// Folded stacks: one line `frame;frame;... COUNT` per distinct stack, root first, sorted, as
// flamegraph.pl, inferno and speedscope read them.
namespace pyprof::exporter {

struct FoldedOptions {
  aggregate::TextOptions text;
  bool threads = false;                               // first frame `thread NAME (TID)`
  aggregate::GroupBy by = aggregate::GroupBy::kNone;  // before it a frame aggregate::group_text()
  std::size_t max_bytes = std::size_t{1} << 28;  // beyond: the rest is one line "[other] COUNT"
};

// The counts sum up to the profile's samples. ';' inside a name becomes ':'. Give it a profile that
// went through aggregate::apply_view().
[[nodiscard]] std::string to_folded(const model::Profile& profile, const FoldedOptions& options);

}  // namespace pyprof::exporter
