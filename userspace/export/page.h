// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/labels.h"
#include "userspace/model/profile.h"

namespace pyprof::exporter {

struct PageOptions {
  aggregate::TextOptions text;
  bool threads = false;  // the page starts with each thread's frames below a box of its own
  aggregate::GroupBy by =
      aggregate::GroupBy::kNone;    // a box of aggregate::group_text() at the root
  std::size_t max_nodes = 500'000;  // as in aggregate::TreeOptions
};

// An earlier profile, to compare with.
struct PageBaseline {
  const model::Profile* profile = nullptr;
  double scale = 1;  // its weights times this are in the later one's unit of work
  std::string name;  // what to call it
  std::string unit;  // what is compared: "per second"
};

// An interactive flame graph as one HTML file that loads nothing: the profile as JSON, and the
// script of page/ that draws it. Its content security policy lets no other script run, and names
// can't leave the JSON. Give it a profile that went through aggregate::apply_view().
[[nodiscard]] std::string to_page(const model::Profile& profile, const PageOptions& options);

// The same with what changed since the baseline: red and blue boxes with a sign. Processes are one,
// and threads are the same if their names are.
[[nodiscard]] std::string to_diff_page(const model::Profile& profile, const PageBaseline& before,
                                       const PageOptions& options);

// page/page.html with the style and the script in it, made when building. `{{title}}` and
// `{{profile}}` are still to be filled in, once each and in this order.
extern const char* const kPage;

}  // namespace pyprof::exporter
