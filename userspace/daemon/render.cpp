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
#include "userspace/export/page.h"
#include "userspace/export/perf_script.h"
#include "userspace/export/pprof.h"
#include "userspace/export/pstats.h"
#include "userspace/export/speedscope.h"
#include "userspace/export/svg.h"
#include "userspace/report/json_report.h"
#include "userspace/report/markdown.h"
#include "userspace/report/text_report.h"

namespace pyprof::daemon {
namespace {

using aggregate::LineMode;
using exporter::Format;

constexpr std::string_view kFullPaths = "full";
constexpr std::string_view kFirstLines = "firstline";
constexpr std::string_view kTable = "table:";
constexpr std::string_view kNoLines = "nolines";
constexpr std::string_view kTokens = "tokens:";
constexpr std::string_view kPrompt = "prompt";

bool is_report(Format format) {
  return format == Format::kText || format == Format::kMarkdown || format == Format::kJson ||
         format == Format::kCsv;
}

// `profile` is the whole one: findings look at what a view hides.
report::TextReportOptions report_options(const model::Profile& profile,
                                         const RenderRequest& request) {
  report::TextReportOptions options;
  options.full_paths = request.full_paths;
  options.by = request.by;
  if (has_report(request)) {
    options.findings =
        report::find_problems(profile, aggregate::summarize(profile), request.full_paths);
  }
  options.max_tokens = request.max_tokens != 0 ? request.max_tokens : RenderRequest::kDefaultTokens;
  if (request.limit == 0) return options;
  options.functions = options.paths = options.edges = options.lines = request.limit;
  options.max_tokens = request.max_tokens;
  return options;
}

aggregate::TextOptions text_options(const RenderRequest& request) {
  return {request.lines, request.full_paths};
}

std::string render_folded(const model::Profile& shown, const RenderRequest& request) {
  exporter::FoldedOptions options;
  options.text = text_options(request);
  options.threads = request.threads;
  options.by = request.by;
  return exporter::to_folded(shown, options);
}

std::string render_svg(const model::Profile& shown, const RenderRequest& request) {
  exporter::SvgOptions options;
  options.text = text_options(request);
  options.threads = request.threads;
  options.by = request.by;
  return exporter::to_svg(shown, options);
}

std::string render_page(const model::Profile& shown, const RenderRequest& request) {
  exporter::PageOptions options;
  options.text = text_options(request);
  options.threads = request.threads || request.by == aggregate::GroupBy::kThread;
  options.by = request.by;
  return exporter::to_page(shown, options);
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
                               const RenderRequest& request,
                               const report::TextReportOptions& report) {
  switch (format) {
    case Format::kText:
      return report::text_report(shown, report);
    case Format::kMarkdown:
      return report::markdown_report(shown, report, request.prompt);
    case Format::kCsv:
      return report::csv_report(shown, report, request.table.empty() ? "self" : request.table);
    case Format::kJson:
      return report::json_report(shown, report);
    case Format::kFolded:
      return render_folded(shown, request);
    case Format::kSvg:
      return render_svg(shown, request);
    case Format::kHtml:
      return render_page(shown, request);
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
  if (word.starts_with(kTable)) {
    into.table = word.substr(kTable.size());
    return {};
  }
  if (word == kPrompt) {
    into.prompt = true;
    return {};
  }
  if (word.starts_with(kTokens)) {
    if (read_number(word.substr(kTokens.size()), into.max_tokens) &&
        into.max_tokens <= into.kMaxTokens) {
      return {};
    }
    return Error{"the number of tokens must be at most " + std::to_string(into.kMaxTokens)};
  }
  if (word == kFirstLines || word == kNoLines) {
    into.lines = word == kNoLines ? LineMode::kNone : LineMode::kFirst;
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

bool has_report(const RenderRequest& request) {
  return std::any_of(request.formats.begin(), request.formats.end(), is_report);
}

aggregate::ViewOptions view_options(const RenderRequest& request) {
  aggregate::ViewOptions view;
  view.native = request.native;
  view.python_only = request.python_only;
  return view;
}

bool needs_labels(const RenderRequest& request) {
  const bool labelled = std::any_of(
      request.formats.begin(), request.formats.end(),
      [](Format format) { return format == Format::kPprof || format == Format::kHtml; });
  return labelled || has_report(request) || request.gil || aggregate::needs_labels(request.by);
}

Result<std::vector<std::string>> render(const model::Profile& profile,
                                        const RenderRequest& request) {
  const model::Profile shown = aggregate::apply_view(profile, view_options(request));
  const auto report = report_options(profile, request);
  std::vector<std::string> outputs;
  for (const Format format : request.formats) {
    auto output = render_one(shown, format, request, report);
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
    if (is_report(format) && request.limit != 0) text += "=" + std::to_string(request.limit);
  }
  if (request.full_paths) (text += ",") += kFullPaths;
  if (!request.table.empty()) ((text += ",") += kTable) += request.table;
  if (request.max_tokens != 0) ((text += ",") += kTokens) += std::to_string(request.max_tokens);
  if (request.prompt) (text += ",") += kPrompt;
  if (request.lines == LineMode::kFirst) (text += ",") += kFirstLines;
  if (request.lines == LineMode::kNone) (text += ",") += kNoLines;
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
