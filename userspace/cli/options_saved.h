// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "userspace/cli/options.h"
#include "userspace/daemon/render.h"
#include "userspace/report/json_report.h"

// The words of the verbs for saved profiles, and those of every verb that writes one.
namespace pyprof::cli {

// As they were typed, before they are checked.
struct SavedWords {
  std::string diff_per = "wall";
  std::string work;
};

// `options` and `words` outlive the parsing.
[[nodiscard]] CLI::App* add_convert(CLI::App& app, ConvertOptions& options);
[[nodiscard]] CLI::App* add_diff(CLI::App& app, DiffFileOptions& options, SavedWords& words);
[[nodiscard]] CLI::App* add_query(CLI::App& app, QueryOptions& options);
[[nodiscard]] CLI::App* add_mcp(CLI::App& app, McpOptions& options);

[[nodiscard]] Result<void> check_diff(DiffFileOptions& options, const SavedWords& words);
[[nodiscard]] Result<void> check_outputs(std::vector<std::string>& outputs,
                                         const std::string& format);

template <typename Options>
void add_outputs(CLI::App& verb, Options& options) {
  verb.add_option("-o,--output", options.outputs, "File to write, - is standard output; repeatable")
      ->allow_extra_args(false)
      ->type_name("FILE");
  verb.add_option("-f,--format", options.format,
                  "text, folded, svg, html, pprof, speedscope, callgrind, pstats, gecko, perf, "
                  "json, csv or "
                  "md; else by the suffix of the file, else text")
      ->type_name("FORMAT");
  verb.add_option("--max-tokens", options.max_tokens,
                  "Length of the text report, as language models count; 6000 by default")
      ->check(CLI::Range(500U, daemon::RenderRequest::kMaxTokens));
  verb.add_flag("--with-prompt", options.with_prompt,
                "End the Markdown report with a task for a language model");
  verb.add_option("--table", options.table, "Of the text report, for CSV; self by default")
      ->check(CLI::IsMember(report::table_names()))
      ->type_name("NAME");
}

}  // namespace pyprof::cli
