// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/options_saved.h"

#include <charconv>
#include <string_view>

#include "userspace/aggregate/clean_text.h"
#include "userspace/report/query.h"

namespace pyprof::cli {

CLI::App* add_convert(CLI::App& app, ConvertOptions& options) {
  CLI::App* verb = app.add_subcommand("convert", "Write a saved profile in another format");
  verb->add_option("file", options.input, "pprof, folded stacks or perf script text")
      ->required()
      ->type_name("FILE");
  add_outputs(*verb, options);
  verb->add_flag("-t,--threads", options.threads, "Tell threads apart in graphs");
  verb->add_flag("--python-only", options.python_only, "Show Python frames alone");
  verb->add_flag("--full-filenames", options.full_filenames, "Show whole paths of Python files");
  verb->add_option("--limit", options.limit, "Rows of each table of the text report")
      ->check(CLI::Range(1U, daemon::RenderRequest::kMaxLimit));
  return verb;
}

CLI::App* add_diff(CLI::App& app, DiffFileOptions& options, SavedWords& words) {
  CLI::App* verb =
      app.add_subcommand("diff", "Say what became cheaper or dearer, and what that saves");
  verb->add_option("before", options.before, "Saved profile")->required()->type_name("FILE");
  verb->add_option("after", options.after, "Saved profile")->required()->type_name("FILE");
  verb->add_option("--per", words.diff_per, "Compare per second (wall) or per CPU-second (cpu)")
      ->check(CLI::IsMember({"wall", "cpu"}))
      ->capture_default_str();
  verb->add_option("--work", words.work, "Units of work done before and after: compare per unit")
      ->type_name("BEFORE,AFTER");
  verb->add_option("--annual-cost", options.annual_cost, "What it cost a year before")
      ->check(CLI::PositiveNumber);
  verb->add_option("--cost-per-core-hour", options.cost_per_core_hour, "Price of a core")
      ->check(CLI::PositiveNumber);
  verb->add_option("--limit", options.compare.limit, "Rows of each table")
      ->check(CLI::Range(1U, daemon::RenderRequest::kMaxLimit));
  verb->add_flag("--full-filenames", options.compare.full_paths,
                 "Tell files apart by their whole paths");
  verb->add_flag("-j,--json", options.json, "JSON instead of text");
  verb->add_option("-o,--output", options.output,
                   "File to write, - is standard output; .html is a flame graph of the changes")
      ->type_name("FILE");
  return verb;
}

CLI::App* add_query(CLI::App& app, QueryOptions& options) {
  CLI::App* verb = app.add_subcommand("query", "Answer one question about a saved profile as JSON");
  verb->add_option("file", options.input, "pprof, folded stacks or perf script text")
      ->required()
      ->type_name("FILE");
  std::vector<std::string> names;
  for (const report::Question& question : report::questions())
    names.emplace_back(question.name);
  verb->add_option("question", options.query.question, "What to ask")
      ->required()
      ->check(CLI::IsMember(names))
      ->type_name("QUESTION");
  verb->add_option("name", options.query.name, "Of the function, for questions about one")
      ->type_name("NAME");
  verb->add_option("--limit", options.query.limit, "Rows of the answer")
      ->check(CLI::Range(1U, daemon::RenderRequest::kMaxLimit));
  verb->add_flag("--python-only", options.python_only, "Look at Python frames alone");
  verb->add_flag("--full-filenames", options.query.full_paths, "Show whole paths of Python files");
  return verb;
}

CLI::App* add_mcp(CLI::App& app, McpOptions& options) {
  CLI::App* verb = app.add_subcommand(
      "mcp", "Answer questions about saved profiles over the Model Context Protocol");
  verb->add_option("files", options.files, "Profiles that may be asked about")
      ->required()
      ->type_name("FILE");
  return verb;
}

// "1000,950"
Result<void> check_diff(DiffFileOptions& options, const SavedWords& words) {
  if (words.diff_per == "cpu") options.compare.unit = report::DiffUnit::kCpu;
  if (words.work.empty()) return {};
  options.compare.unit = report::DiffUnit::kWork;
  const std::size_t comma = words.work.find(',');
  const auto number = [](const std::string& text, double& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && value > 0;
  };
  if (comma != std::string::npos &&
      number(words.work.substr(0, comma), options.compare.work_before) &&
      number(words.work.substr(comma + 1), options.compare.work_after)) {
    return {};
  }
  return Error{"--work: '" + aggregate::clean_text(words.work, 80) + "'" +
               " is not two numbers above 0, as in 1000,950"};
}

Result<void> check_outputs(std::vector<std::string>& outputs, const std::string& format) {
  if (outputs.size() > 1 && !format.empty()) {
    return Error{"-f is for one output; of several, each follows its suffix"};
  }
  if (outputs.empty()) outputs.emplace_back("-");
  return {};
}

}  // namespace pyprof::cli
