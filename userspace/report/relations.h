// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "userspace/aggregate/summary.h"
#include "userspace/model/profile.h"

// Who calls whom: what a table of functions can't say. Shares are percent of the profile.
namespace pyprof::report {

// One node of the call tree that is worth a line, root first, callees below their caller.
struct TreeRow {
  std::size_t depth = 0;  // of the shown tree
  double total = 0;
  double self = 0;
  std::size_t hidden = 0;  // callees that are too small to be shown
  std::string text;        // the frame; of an only callee after its caller: "a > b"
};

// Nodes of at least `least` percent, at most `limit` of them, the heaviest first among callees.
// Callers with one shown callee and no time of their own share a line with it.
[[nodiscard]] std::vector<TreeRow> call_tree_rows(const model::Profile& profile,
                                                  const aggregate::Summary& summary, double least,
                                                  std::size_t limit, bool full_paths);

// A call from one line of a function; each sample counts once for it.
struct EdgeRow {
  double total = 0;
  double self = 0;     // of samples that end in the callee
  std::string caller;  // with the line of the call
  std::string callee;
};

[[nodiscard]] std::vector<EdgeRow> edge_rows(const model::Profile& profile,
                                             const aggregate::Summary& summary, std::size_t limit,
                                             bool full_paths);

// Self time by whose code it is, see aggregate::package_text().
struct PackageRow {
  double self = 0;
  std::string package;
};

[[nodiscard]] std::vector<PackageRow> package_rows(const model::Profile& profile,
                                                   const aggregate::Summary& summary,
                                                   std::size_t limit);

}  // namespace pyprof::report
