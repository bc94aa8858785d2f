// SPDX-License-Identifier: Apache-2.0
#include "userspace/import/perf_script.h"

#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "userspace/import/frame_spelling.h"

namespace pyprof::importer {
namespace {

using model::FrameKind;

constexpr std::size_t kMaxHeadWords = 64;

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

bool is_frame_line(std::string_view line) {
  return line.starts_with('\t') || line.starts_with("    ");
}

template <typename Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (words.size() < kMaxHeadWords) {
    text = trim(text);
    if (text.empty()) break;
    const std::size_t end = text.find_first_of(" \t");
    words.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end);
  }
  return words;
}

// `comm PID/TID [CPU] TIME: PERIOD EVENT:`, of which perf leaves out what it was not asked for; a
// comm may have blanks.
struct Head {
  ThreadName owner;
  uint64_t weight_ns = 0;
};

bool read_ids(std::string_view word, ThreadName& owner) {
  const std::size_t slash = word.find('/');
  if (!read_number(word.substr(0, slash), owner.pid)) return false;
  owner.tid = owner.pid;
  return slash == std::string_view::npos || read_number(word.substr(slash + 1), owner.tid);
}

bool is_clock(std::string_view event) {
  return event.starts_with("cpu-clock") || event.starts_with("task-clock");
}

std::optional<Head> read_head(std::string_view line) {
  const auto words = words_of(line);
  Head head;
  std::size_t ids = 1;
  while (ids < words.size() && !read_ids(words[ids], head.owner))
    ++ids;
  if (ids >= words.size()) return std::nullopt;
  const char* comm_end = words[ids - 1].data() + words[ids - 1].size();
  head.owner.comm = std::string(words[0].data(), comm_end);
  for (std::size_t i = ids + 2; i < words.size(); ++i) {
    uint64_t period = 0;
    if (is_clock(words[i]) && read_number(words[i - 1], period)) head.weight_ns = period;
  }
  return head;
}

class Reader {
 public:
  void take(std::string_view line) {
    if (trim(line).empty()) {
      end_record();
    } else if (is_frame_line(line)) {
      if (head_) frames_.push_back(maker_.frame(frame(trim(line))));
    } else if (!line.starts_with('#')) {
      end_record();
      head_ = read_head(line);
    }
  }

  Result<model::Profile> finish() && {
    end_record();
    return std::move(maker_).finish();
  }

 private:
  void end_record() {
    if (head_) maker_.add(maker_.thread(head_->owner), frames_, 1, head_->weight_ns);
    head_.reset();
    frames_.clear();
  }

  // `7f12 symbol+0x1a (object)`
  model::Frame frame(std::string_view line) {
    model::Frame frame;
    const char* end = line.data() + line.size();
    const auto address = std::from_chars(line.data(), end, frame.address, 16);
    if (address.ec == std::errc{} && address.ptr != end && *address.ptr == ' ') {
      line.remove_prefix(static_cast<std::size_t>(address.ptr - line.data()));
    }
    line = trim(line);
    std::string_view object;
    if (const std::size_t at = line.rfind(" (");
        at != std::string_view::npos && line.ends_with(')')) {
      object = line.substr(at + 2, line.size() - at - 3);
      line = trim(line.substr(0, at));
    }
    if (const std::size_t plus = line.rfind("+0x"); plus != std::string_view::npos && plus > 0) {
      line = line.substr(0, plus);
    }
    if (line != "[unknown]") frame.function = line;
    place(object, frame);
    return frame;
  }

  void place(std::string_view object, model::Frame& frame) {
    const std::size_t colon = object.rfind(':');
    const bool has_line =
        colon != std::string_view::npos && read_number(object.substr(colon + 1), frame.line);
    const std::string_view file = object.substr(0, has_line ? colon : std::string_view::npos);
    if (has_line || is_python_file(file)) {
      frame.kind = FrameKind::kPython;
      frame.file = file;
    } else if (object.starts_with("[kernel") || object.starts_with("[guest.kernel")) {
      frame.kind = FrameKind::kKernel;
    } else if (frame.function.starts_with('[') && (object.empty() || object == "unknown")) {
      frame.kind = FrameKind::kMarker;
    } else if (!object.empty() && object != "[unknown]" && object != "unknown") {
      frame.module = maker_.module(std::string(object), "");
    }
  }

  ProfileMaker maker_;
  std::optional<Head> head_;
  std::vector<uint32_t> frames_;
};

}  // namespace

bool looks_like_perf_script(std::string_view text) {
  bool head = false;
  for (int i = 0; i < 100 && !text.empty(); ++i) {
    const std::string_view line = next_line(text);
    if (line.starts_with('#') || trim(line).empty()) continue;
    if (is_frame_line(line)) return head;
    head = trim(line).ends_with(':');
    if (!head) return false;
  }
  return false;
}

Result<model::Profile> from_perf_script(std::string_view text) {
  Reader reader;
  while (!text.empty())
    reader.take(next_line(text));
  return std::move(reader).finish();
}

}  // namespace pyprof::importer
