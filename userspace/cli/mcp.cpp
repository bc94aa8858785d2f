// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/mcp.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/view.h"
#include "userspace/daemon/version.h"
#include "userspace/import/load.h"
#include "userspace/report/diff.h"
#include "userspace/report/diff_text.h"
#include "userspace/report/query.h"
#include "userspace/report/text_report.h"
#include "userspace/server/mcp.h"

namespace pyprof::cli {
namespace {

using Arguments = std::map<std::string, std::string>;

constexpr std::size_t kMaxFiles = 64;
constexpr std::size_t kMaxRows = 1000;
constexpr std::size_t kReportTokens = 6'000;

// By the name it was given on the command line.
using Profiles = std::map<std::string, model::Profile>;

Result<const model::Profile*> chosen(const Profiles& profiles, const Arguments& given,
                                     const std::string& parameter) {
  const auto name = given.find(parameter);
  if (name == given.end() && profiles.size() == 1) return &profiles.begin()->second;
  const auto profile = name == given.end() ? profiles.end() : profiles.find(name->second);
  if (profile != profiles.end()) return &profile->second;
  std::vector<std::string> names;
  for (const auto& [known, unused] : profiles)
    names.push_back(aggregate::clean_text(known, 256));
  return Error{fmt::format("`{}` is one of: {}", parameter, fmt::join(names, ", "))};
}

Result<std::string> ask(const Profiles& profiles, const std::string& question,
                        const Arguments& given) {
  const auto profile = chosen(profiles, given, "file");
  if (!profile) return profile.error();
  report::Query query;
  query.question = question;
  if (const auto name = given.find("name"); name != given.end()) query.name = name->second;
  if (const auto limit = given.find("limit"); limit != given.end()) {
    query.limit =
        std::clamp<std::size_t>(std::strtoull(limit->second.c_str(), nullptr, 10), 1, kMaxRows);
  }
  return report::answer(**profile, query);
}

Result<std::string> tell_all(const Profiles& profiles, const Arguments& given) {
  const auto profile = chosen(profiles, given, "file");
  if (!profile) return profile.error();
  report::TextReportOptions options;
  options.max_tokens = kReportTokens;
  options.findings = report::find_problems(**profile, aggregate::summarize(**profile), false);
  return report::text_report(**profile, options);
}

// By shares where a profile doesn't know its time.
Result<std::string> compare_two(const Profiles& profiles, const Arguments& given) {
  const auto before = chosen(profiles, given, "before"), after = chosen(profiles, given, "after");
  if (!before) return before.error();
  if (!after) return after.error();
  report::DiffOptions options;
  if ((*before)->duration_ns == 0 || (*after)->duration_ns == 0)
    options.unit = report::DiffUnit::kCpu;
  const auto diff = report::compare(**before, **after, options);
  if (!diff) return diff.error();
  return report::diff_json(*diff, {given.at("before"), given.at("after"), 0, 0});
}

server::McpParameter file_parameter(const std::string& name, bool required) {
  return {name, "Profile, as named on the command line", false, required};
}

std::vector<server::McpTool> tools_for(const Profiles& profiles) {
  const bool several = profiles.size() > 1;
  std::vector<server::McpTool> tools;
  for (const report::Question& question : report::questions()) {
    std::string name(question.name);
    server::McpTool tool{name, "CPU profile: " + std::string(question.help), {}, {}};
    std::replace(tool.name.begin(), tool.name.end(), '-', '_');
    if (question.about_function) {
      tool.parameters.push_back({"name", "Function, in full or part of it", false, true});
    }
    tool.parameters.push_back({"limit", "Rows, 20 by default", true, false});
    tool.parameters.push_back(file_parameter("file", several));
    tool.call = [&profiles, name](const Arguments& given) { return ask(profiles, name, given); };
    tools.push_back(std::move(tool));
  }
  tools.push_back({"report",
                   "CPU profile: the whole report with threads, functions, paths, calls, findings",
                   {file_parameter("file", several)},
                   [&profiles](const Arguments& given) { return tell_all(profiles, given); }});
  if (several) {
    tools.push_back({"diff",
                     "CPU profiles: what became cheaper or dearer, with 95 % intervals",
                     {file_parameter("before", true), file_parameter("after", true)},
                     [&profiles](const Arguments& given) { return compare_two(profiles, given); }});
  }
  return tools;
}

Result<Profiles> load_all(const std::vector<std::string>& files) {
  if (files.size() > kMaxFiles) return Error{"at most 64 profiles can be asked about"};
  Profiles profiles;
  for (const std::string& file : files) {
    auto profile = importer::load_profile(file);
    if (!profile) return profile.error();
    profile->tool_version = daemon::tool_version();
    aggregate::ViewOptions view;
    view.native = true;
    profiles.emplace(file, aggregate::apply_view(*profile, view));
  }
  return profiles;
}

// False at the end of the input. What is longer than a message may be is read over.
bool next_line(std::string& line) {
  line.clear();
  for (int c = std::getchar(); c != EOF; c = std::getchar()) {
    if (c == '\n') return true;
    if (line.size() <= server::Mcp::kMaxLineBytes) line += static_cast<char>(c);
  }
  return !line.empty();
}

}  // namespace

Result<void> serve_mcp(const McpOptions& options) {
  const auto profiles = load_all(options.files);
  if (!profiles) return profiles.error();
  const server::Mcp server(daemon::tool_version(), tools_for(*profiles));
  std::string line;
  while (next_line(line)) {
    if (line.size() > server::Mcp::kMaxLineBytes) line = "longer than a message may be";
    const auto answer = server.answer(line);
    if (!answer) continue;
    std::fwrite(answer->data(), 1, answer->size(), stdout);
    std::fputc('\n', stdout);
    if (std::fflush(stdout) != 0) return {};  // nobody listens any more
  }
  return {};
}

}  // namespace pyprof::cli
