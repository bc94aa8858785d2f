// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "userspace/base/result.h"

// The formats a profile can be written in, by the names that users type. The namespace is
// `exporter` because `export` is a keyword.
namespace pyprof::exporter {

enum class Format : uint8_t {
  kText,
  kFolded,
  kSvg,
  kPprof,
  kSpeedscope,
  kCallgrind,
  kPstats,
  kGecko,
  kPerfScript,
  kJson,
  kCsv,
  kMarkdown,
  kHtml,
};

// "text", "folded" (also "raw", "collapsed"), "svg" (also "flamegraph"), "html", "pprof",
// "speedscope", "callgrind", "pstats", "gecko", "perf", "json", "csv", "md". Anything else is a
// kUsage error that names them.
[[nodiscard]] Result<Format> parse_format(std::string_view name);

// From the end of a file name, as the tools that read the formats expect it.
[[nodiscard]] std::optional<Format> infer_format(std::string_view path);

[[nodiscard]] const char* format_name(Format format);
// Not for a terminal.
[[nodiscard]] bool is_binary(Format format);

}  // namespace pyprof::exporter
