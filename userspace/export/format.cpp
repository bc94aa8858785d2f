// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/format.h"

#include <fmt/format.h>

#include "userspace/aggregate/clean_text.h"

namespace pyprof::exporter {
namespace {

struct Spelling {
  std::string_view text;
  Format format;
};

// A format's first name is its own.
constexpr Spelling kNames[] = {
    {"text", Format::kText},
    {"folded", Format::kFolded},
    {"svg", Format::kSvg},
    {"html", Format::kHtml},
    {"pprof", Format::kPprof},
    {"txt", Format::kText},
    {"raw", Format::kFolded},
    {"collapsed", Format::kFolded},
    {"flamegraph", Format::kSvg},
    {"speedscope", Format::kSpeedscope},
    {"callgrind", Format::kCallgrind},
    {"pstats", Format::kPstats},
    {"gecko", Format::kGecko},
    {"perf", Format::kPerfScript},
    {"json", Format::kJson},
    {"csv", Format::kCsv},
    {"md", Format::kMarkdown},
    {"markdown", Format::kMarkdown},
};

constexpr Spelling kSuffixes[] = {
    {".txt", Format::kText},
    {".md", Format::kMarkdown},
    {".folded", Format::kFolded},
    {".collapsed", Format::kFolded},
    {".svg", Format::kSvg},
    {".html", Format::kHtml},
    {".pb.gz", Format::kPprof},
    {".pprof", Format::kPprof},
    {".speedscope.json", Format::kSpeedscope},
    {".callgrind", Format::kCallgrind},
    {".pstats", Format::kPstats},
    {".prof", Format::kPstats},
    {".gecko.json", Format::kGecko},
    {".perf", Format::kPerfScript},
    {".csv", Format::kCsv},
    {".json", Format::kJson},  // after the longer ones
};

}  // namespace

Result<Format> parse_format(std::string_view name) {
  for (const Spelling& known : kNames) {
    if (known.text == name) return known.format;
  }
  return Error{fmt::format("unknown format '{}': use text, folded, svg, html, pprof, speedscope, "
                           "callgrind, pstats, gecko, perf, json, csv or md",
                           aggregate::clean_text(name, 64)),
               ExitCode::kUsage};
}

std::optional<Format> infer_format(std::string_view path) {
  for (const Spelling& known : kSuffixes) {
    if (path.ends_with(known.text)) return known.format;
  }
  return std::nullopt;
}

const char* format_name(Format format) {
  for (const Spelling& known : kNames) {
    if (known.format == format) return known.text.data();
  }
  return "?";
}

bool is_binary(Format format) {
  return format == Format::kPprof || format == Format::kPstats;
}

}  // namespace pyprof::exporter
