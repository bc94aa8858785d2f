// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "userspace/aggregate/summary.h"
#include "userspace/aggregate/view.h"
#include "userspace/export/callgrind.h"
#include "userspace/export/folded.h"
#include "userspace/export/gecko.h"
#include "userspace/export/perf_script.h"
#include "userspace/export/pprof.h"
#include "userspace/export/pstats.h"
#include "userspace/export/speedscope.h"
#include "userspace/export/svg.h"
#include "userspace/report/text_report.h"

namespace pyprof::daemon {
namespace {

using exporter::Format;

constexpr std::string_view kFullPaths = "full";

std::string render_text(const model::Profile& shown, const RenderRequest& request) {
  report::TextReportOptions options;
  options.full_paths = request.full_paths;
  options.by = request.by;
  if (request.limit != 0) options.functions = options.paths = request.limit;
  return report::text_report(shown, options);
}

std::string render_folded(const model::Profile& shown, const RenderRequest& request) {
  exporter::FoldedOptions options;
  options.text.full_paths = request.full_paths;
  options.threads = request.threads;
  options.by = request.by;
  return exporter::to_folded(shown, options);
}

std::string render_svg(const model::Profile& shown, const RenderRequest& request) {
  exporter::SvgOptions options;
  options.text.full_paths = request.full_paths;
  options.threads = request.threads;
  options.by = request.by;
  return exporter::to_svg(shown, options);
}

aggregate::TextOptions text_options(const RenderRequest& request) {
  aggregate::TextOptions text;
  text.full_paths = request.full_paths;
  return text;
}

std::string render_for_tools(const model::Profile& shown, Format format,
                             const RenderRequest& request) {
  switch (format) {
    case Format::kSpeedscope:
      return exporter::to_speedscope(shown, text_options(request));
    case Format::kCallgrind:
      return exporter::to_callgrind(shown);
    case Format::kPstats:
      return exporter::to_pstats(shown);
    case Format::kGecko:
      return exporter::to_gecko(shown, text_options(request));
    default:
      return exporter::to_perf_script(shown, {text_options(request)});
  }
}

Result<std::string> render_one(const model::Profile& shown, Format format,
                               const RenderRequest& request) {
  switch (format) {
    case Format::kText:
      return render_text(shown, request);
    case Format::kFolded:
      return render_folded(shown, request);
    case Format::kSvg:
      return render_svg(shown, request);
    case Format::kPprof:
      return exporter::to_pprof(shown);
    default:
      return render_for_tools(shown, format, request);
  }
}

template <typename Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

Result<void> decode_word(std::string_view word, RenderRequest& into) {
  if (word == kFullPaths) {
    into.full_paths = true;
    return {};
  }
  const std::size_t equals = word.find('=');
  if (equals != std::string_view::npos &&
      (!read_number(word.substr(equals + 1), into.limit) || into.limit > into.kMaxLimit)) {
    return Error{"the number of rows must be at most " + std::to_string(into.kMaxLimit)};
  }
  const auto format = exporter::parse_format(word.substr(0, equals));
  if (!format) return format.error();
  const auto& known = into.formats;
  if (std::find(known.begin(), known.end(), *format) == known.end())
    into.formats.push_back(*format);
  return {};
}

}  // namespace

bool needs_labels(const RenderRequest& request) {
  const bool pprof = std::find(request.formats.begin(), request.formats.end(), Format::kPprof) !=
                     request.formats.end();
  return pprof || request.gil || aggregate::needs_labels(request.by);
}

Result<std::vector<std::string>> render(const model::Profile& profile,
                                        const RenderRequest& request) {
  aggregate::ViewOptions view;
  view.native = request.native;
  view.python_only = request.python_only;
  const model::Profile shown = aggregate::apply_view(profile, view);
  std::vector<std::string> outputs;
  for (const Format format : request.formats) {
    auto output = render_one(shown, format, request);
    if (!output) return output.error();
    outputs.push_back(*std::move(output));
  }
  return outputs;
}

std::string closing_line(const model::Profile& profile) {
  const aggregate::Summary summary = aggregate::summarize(profile);
  return fmt::format("samples {}, {}", aggregate::with_thousands(summary.samples),
                     aggregate::quality_text(profile));
}

std::string encode_formats(const RenderRequest& request) {
  std::string text;
  for (const Format format : request.formats) {
    text += text.empty() ? "" : ",";
    text += exporter::format_name(format);
    if (format == Format::kText && request.limit != 0) text += "=" + std::to_string(request.limit);
  }
  if (request.full_paths) (text += ",") += kFullPaths;
  return text;
}

Result<void> decode_formats(std::string_view text, RenderRequest& into) {
  while (true) {
    const std::size_t comma = text.find(',');
    if (const auto done = decode_word(text.substr(0, comma), into); !done) return done;
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (into.formats.empty()) return Error{"no format was asked for"};
  return {};
}

std::string join_outputs(const std::vector<std::string>& outputs) {
  std::string payload;
  for (const std::string& output : outputs) {
    payload += std::to_string(output.size()) + "\n";
    payload += output;
  }
  return payload;
}

Result<std::vector<std::string>> split_outputs(std::string_view payload, std::size_t count) {
  const Error broken{"the daemon's answer does not hold the outputs that were asked for"};
  std::vector<std::string> outputs;
  while (outputs.size() < count) {
    const std::size_t line = payload.find('\n');
    std::size_t bytes = 0;
    if (line == std::string_view::npos || !read_number(payload.substr(0, line), bytes)) {
      return broken;
    }
    payload.remove_prefix(line + 1);
    if (bytes > payload.size()) return broken;
    outputs.emplace_back(payload.substr(0, bytes));
    payload.remove_prefix(bytes);
  }
  if (!payload.empty()) return broken;
  return outputs;
}

}  // namespace pyprof::daemon
