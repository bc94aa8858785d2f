// SPDX-License-Identifier: Apache-2.0
#include "userspace/import/folded.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "userspace/import/frame_spelling.h"

namespace pyprof::importer {
namespace {

struct Line {
  std::string_view stack;
  uint64_t count = 0;
};

std::optional<Line> read_line(std::string_view text) {
  const std::size_t blank = text.rfind(' ');
  if (blank == std::string_view::npos || blank == 0) return std::nullopt;
  Line line{text.substr(0, blank), 0};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + blank + 1, end, line.count);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return line;
}

class Reader {
 public:
  void add(const Line& line) {
    ThreadName owner;
    std::vector<uint32_t> frames;
    std::string_view rest = line.stack;
    for (bool more = true; more;) {
      const std::size_t end = rest.find(';');
      const std::string_view text = rest.substr(0, end);
      if (!frames.empty() || !read_owner(text, owner)) frames.push_back(frame(text));
      more = end != std::string_view::npos;
      if (more) rest.remove_prefix(end + 1);
    }
    std::reverse(frames.begin(), frames.end());
    maker_.add(maker_.thread(owner), frames, line.count, 0);
  }
  Result<model::Profile> finish() && { return std::move(maker_).finish(); }

 private:
  uint32_t frame(std::string_view text) {
    const auto [at, is_new] = known_.try_emplace(std::string(text), 0);
    if (is_new) at->second = maker_.frame(read_frame(text, maker_));
    return at->second;
  }

  ProfileMaker maker_;
  std::unordered_map<std::string, uint32_t> known_;
};

}  // namespace

Result<model::Profile> from_folded(std::string_view text) {
  Reader reader;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    const auto parsed = read_line(line);
    if (!parsed) {
      return Error{"line " + std::to_string(number) + " is not a folded stack (`a;b;c COUNT`)"};
    }
    reader.add(*parsed);
  }
  return std::move(reader).finish();
}

}  // namespace pyprof::importer
