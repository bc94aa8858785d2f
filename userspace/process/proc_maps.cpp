// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/proc_maps.h"

#include <sys/sysmacros.h>

#include <charconv>

namespace pyprof::process {
namespace {

constexpr std::string_view kDeleted = " (deleted)";
constexpr std::string_view kAnonymous = "//anon";
constexpr std::string_view kVdso = "[vdso]";

// Reads fields off the front of a line; any mismatch makes it fail for good.
class FieldReader {
 public:
  explicit FieldReader(std::string_view text) : rest_(text) {}

  uint64_t number(int base) {
    uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, base);
    if (error != std::errc{}) ok_ = false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }
  void expect(char c) {
    if (rest_.empty() || rest_.front() != c) {
      ok_ = false;
      return;
    }
    rest_.remove_prefix(1);
  }
  std::string_view take(std::size_t count) {
    if (rest_.size() < count) ok_ = false;
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // The rest after the padding; a path that starts with a space cannot be told from padding, but
  // every path here starts with '/' or '['.
  [[nodiscard]] std::string_view rest() const {
    const auto start = rest_.find_first_not_of(' ');
    return start == std::string_view::npos ? std::string_view{} : rest_.substr(start);
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// The kernel escapes the newline and nothing else here, not even the backslash.
std::string unescape_newlines(std::string_view text) {
  constexpr std::string_view kEscape = "\\012";
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto next = text.find(kEscape, at);
    out.append(text.substr(at, next - at));
    if (next == std::string_view::npos) break;
    out.push_back('\n');
    at = next + kEscape.size();
  }
  return out;
}

}  // namespace

std::optional<model::Mapping> parse_maps_line(std::string_view line) {
  FieldReader reader(line);
  model::Mapping mapping;
  mapping.start = reader.number(16);
  reader.expect('-');
  mapping.end = reader.number(16);
  reader.expect(' ');
  const auto permissions = reader.take(4);
  reader.expect(' ');
  mapping.file_offset = reader.number(16);
  reader.expect(' ');
  const auto major_number = reader.number(16);
  reader.expect(':');
  const auto minor_number = reader.number(16);
  reader.expect(' ');
  mapping.file.inode = reader.number(10);
  if (!reader.ok() || permissions[2] != 'x') return std::nullopt;
  const bool kernel_half = mapping.start >> 63 != 0;
  if (mapping.end <= mapping.start || kernel_half) return std::nullopt;
  mapping.file.device =
      makedev(static_cast<unsigned>(major_number), static_cast<unsigned>(minor_number));
  const auto path = reader.rest();
  mapping.path = path.empty() ? std::string(kAnonymous) : unescape_newlines(path);
  return mapping;
}

std::string_view without_deleted(std::string_view path) {
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return path;
}

bool has_file(const model::Mapping& mapping) {
  if (is_vdso(mapping)) return true;
  if (mapping.path.empty() || mapping.path == kAnonymous || mapping.path.front() == '[') {
    return false;
  }
  return mapping.file.inode != 0 || !mapping.build_id.empty();
}

bool is_vdso(const model::Mapping& mapping) {
  return mapping.path == kVdso;
}

}  // namespace pyprof::process
