// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/labels.h"
#include "userspace/aggregate/view.h"
#include "userspace/base/result.h"
#include "userspace/export/format.h"
#include "userspace/model/profile.h"

// A profile in the formats that were asked for: the same bytes whether the command line samples by
// itself or the daemon does it on its behalf.
namespace pyprof::daemon {

struct RenderRequest {
  static constexpr uint32_t kMaxLimit = 1000;
  static constexpr uint32_t kMaxTokens = 1'000'000;
  static constexpr uint32_t kDefaultTokens = 6000;  // of the text report, unless `limit` is given

  std::vector<exporter::Format> formats;  // each at most once
  bool threads = false;
  bool native = false;
  bool python_only = false;
  bool full_paths = false;
  aggregate::LineMode lines = aggregate::LineMode::kCurrent;  // of frames in graphs
  bool gil = false;  // only samples that hold the GIL; whoever samples leaves the others out
  aggregate::GroupBy by = aggregate::GroupBy::kNone;
  std::string table;        // of the text report, for CSV; empty = self
  uint32_t limit = 0;       // rows of each table of the text report, 0 = the report's own choice
  uint32_t max_tokens = 0;  // of the text report, 0 = kDefaultTokens
  bool prompt = false;      // the Markdown report ends in a task for a language model
};

// Whether one of the formats is made of the tables of the text report.
[[nodiscard]] bool has_report(const RenderRequest& request);
[[nodiscard]] aggregate::ViewOptions view_options(const RenderRequest& request);
// Whether samples must have been told apart by their labels.
[[nodiscard]] bool needs_labels(const RenderRequest& request);

// One output per format, in their order.
[[nodiscard]] Result<std::vector<std::string>> render(const model::Profile& profile,
                                                      const RenderRequest& request);

// "samples 5,812, lost 0, truncated 3 (0.05 %), unsymbolised 0"
[[nodiscard]] std::string closing_line(const model::Profile& profile);

// How a control request carries what it has no field of its own for, in ControlRequest::format:
// "text=30,svg,full". The other members travel in fields of theirs.
[[nodiscard]] std::string encode_formats(const RenderRequest& request);
[[nodiscard]] Result<void> decode_formats(std::string_view text, RenderRequest& into);

// Several outputs as one payload: before each a line with its number of bytes.
[[nodiscard]] std::string join_outputs(const std::vector<std::string>& outputs);
[[nodiscard]] Result<std::vector<std::string>> split_outputs(std::string_view payload,
                                                             std::size_t count);

}  // namespace pyprof::daemon
