// SPDX-License-Identifier: Apache-2.0
#include "userspace/import/frame_spelling.h"

#include <charconv>
#include <string>

namespace pyprof::importer {
namespace {

using model::FrameKind;

template <typename Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

// "name (inside)" -> name and inside.
struct Bracketed {
  std::string_view name;
  std::string_view inside;
};

std::optional<Bracketed> split(std::string_view text, char open, char close) {
  if (!text.ends_with(close)) return std::nullopt;
  const std::size_t at = text.rfind(open);
  if (at == std::string_view::npos || at < 2 || text[at - 1] != ' ') return std::nullopt;
  return Bracketed{text.substr(0, at - 1), text.substr(at + 1, text.size() - at - 2)};
}

// `file.py:12` or `file.py`; a file may have brackets in its name only in tests.
std::optional<model::Frame> read_python(std::string_view text) {
  const auto parts = split(text, '(', ')');
  if (!parts) return std::nullopt;
  model::Frame frame;
  frame.kind = FrameKind::kPython;
  frame.function = parts->name;
  const std::size_t colon = parts->inside.rfind(':');
  const bool has_line =
      colon != std::string_view::npos && read_number(parts->inside.substr(colon + 1), frame.line);
  frame.file = parts->inside.substr(0, has_line ? colon : std::string_view::npos);
  if (!has_line && !is_python_file(frame.file) && frame.file != "?") return std::nullopt;
  if (frame.file == "?") frame.file.clear();
  return frame;
}

std::optional<model::Frame> read_native(std::string_view text, ProfileMaker& maker) {
  const auto parts = split(text, '[', ']');
  if (!parts) return std::nullopt;
  model::Frame frame;
  frame.kind = parts->inside == "kernel" ? FrameKind::kKernel : FrameKind::kNative;
  const bool bare = parts->name.starts_with("0x") &&
                    std::from_chars(parts->name.data() + 2, parts->name.data() + parts->name.size(),
                                    frame.address, 16)
                            .ptr == parts->name.data() + parts->name.size();
  if (!bare) frame.function = parts->name;
  if (frame.kind == FrameKind::kNative) frame.module = maker.module(std::string(parts->inside), "");
  return frame;
}

}  // namespace

bool is_python_file(std::string_view file) {
  return file.ends_with(".py") || file.ends_with(".pyx") || file.ends_with(".ipynb") ||
         (file.starts_with('<') && file.ends_with('>'));
}

model::Frame read_frame(std::string_view text, ProfileMaker& maker) {
  model::Frame frame;
  if (text.starts_with('[') && text.ends_with(']')) {
    frame.kind = FrameKind::kMarker;
    frame.function = text;
    return frame;
  }
  if (auto native = read_native(text, maker)) return *std::move(native);
  if (auto python = read_python(text)) return *std::move(python);
  for (const std::string_view suffix : {"_[k]", "_[i]", "_[j]"}) {
    if (!text.ends_with(suffix)) continue;
    if (suffix == "_[k]") frame.kind = FrameKind::kKernel;
    text.remove_suffix(suffix.size());
  }
  frame.function = text;
  return frame;
}

bool read_owner(std::string_view text, ThreadName& into) {
  const auto parts = split(text, '(', ')');
  int32_t number = 0;
  if (!parts || !read_number(parts->inside, number)) return false;
  if (parts->name.starts_with("thread ")) {
    into.tid = number;
    into.python_name = parts->name.substr(7);
    return true;
  }
  if (!parts->name.starts_with("process ")) return false;
  into.pid = number;
  into.comm = parts->name.substr(8);
  return true;
}

}  // namespace pyprof::importer
