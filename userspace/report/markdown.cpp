// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/markdown.h"

#include <algorithm>

#include "userspace/report/tokens.h"

namespace pyprof::report {
namespace {

constexpr std::string_view kPrompt =
    R"(
## Task

You are an experienced Python performance engineer. Use only the rows above. List what wastes CPU time, the largest first; for each give the share of CPU time, the ids of the rows that prove it, the cause along the call path, a fix, and how to verify it. Shares are from samples: differences within the margins are not significant. Say "not in the data" where the rows do not tell.
)";

// One longer than any run of backticks in the text, so that no name can end a block.
std::string fence_for(std::string_view text) {
  std::size_t longest = 2, run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return std::string(longest + 1, '`');
}

bool is_heading(std::string_view line) {
  return line.starts_with("# ") || line.starts_with("## ");
}

class Writer {
 public:
  explicit Writer(std::string_view text) : fence_(fence_for(text)) {}

  void add(std::string_view line) {
    const bool plain = line.empty() || is_heading(line);
    if (plain) close();
    if (!plain && !open_) open();
    (out_ += line) += '\n';
  }
  std::string finish() {
    close();
    return std::move(out_);
  }

 private:
  void open() {
    (out_ += fence_) += '\n';
    open_ = true;
  }
  void close() {
    if (open_) (out_ += fence_) += '\n';
    open_ = false;
  }

  const std::string fence_;
  std::string out_;
  bool open_ = false;
};

}  // namespace

std::string to_markdown(std::string_view text_report, bool prompt) {
  Writer writer(text_report);
  while (!text_report.empty()) {
    const std::size_t end = std::min(text_report.find('\n'), text_report.size());
    writer.add(text_report.substr(0, end));
    text_report.remove_prefix(std::min(end + 1, text_report.size()));
  }
  std::string text = writer.finish();
  if (prompt) text += kPrompt;
  return text;
}

std::string markdown_report(const model::Profile& profile, const TextReportOptions& options,
                            bool prompt) {
  const std::string text = text_report(profile, options);
  std::string whole = to_markdown(text, prompt);
  if (options.max_tokens == 0 || estimate_tokens(whole) <= options.max_tokens) return whole;
  TextReportOptions fitted = options;
  const std::size_t added = estimate_tokens(whole) - estimate_tokens(text);
  fitted.max_tokens = std::max(options.max_tokens, added + 1) - added;
  return to_markdown(text_report(profile, fitted), prompt);
}

}  // namespace pyprof::report
