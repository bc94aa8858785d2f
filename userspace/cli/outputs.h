// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/daemon/render.h"

// Where a snapshot's results go.
namespace pyprof::cli {

struct Output {
  std::string path;  // "-" = standard output
  exporter::Format format = exporter::Format::kText;
};

// `format` as typed, empty = by the suffix of each path, else text.
[[nodiscard]] Result<std::vector<Output>> plan_outputs(const std::vector<std::string>& paths,
                                                       const std::string& format);

// Finds before the sampling what would make writing fail afterwards. Creates nothing.
[[nodiscard]] Result<void> check_writable(const std::vector<Output>& outputs);

// The formats, each once.
[[nodiscard]] std::vector<exporter::Format> formats_of(const std::vector<Output>& outputs);

// `rendered` is in the order of formats_of().
[[nodiscard]] Result<void> write_outputs(const std::vector<Output>& outputs,
                                         const std::vector<std::string>& rendered);

}  // namespace pyprof::cli
