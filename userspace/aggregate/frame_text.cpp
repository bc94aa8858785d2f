// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/frame_text.h"

#include <fmt/format.h>

#include "userspace/aggregate/clean_text.h"

namespace pyprof::aggregate {
namespace {

using model::FrameKind;

std::string_view module_path(const model::Profile& profile, const model::Frame& frame) {
  if (frame.module == 0 || frame.module > profile.modules.size()) return "";
  return profile.modules[frame.module - 1].path;
}

std::string path_text(std::string_view path, bool full_paths) {
  return clean_text(full_paths ? path : base_name(path));
}

// A module whose path is already bracketed ("[vdso]") is not bracketed twice.
std::string module_text(std::string_view path, bool full_paths) {
  if (path.empty()) return "[unknown]";
  std::string text = path_text(path, full_paths);
  return text.front() == '[' ? text : fmt::format("[{}]", text);
}

uint32_t shown_line(const model::Frame& frame, LineMode mode) {
  if (mode == LineMode::kNone) return 0;
  return mode == LineMode::kFirst ? frame.first_line : frame.line;
}

}  // namespace

std::string function_text(const model::Frame& frame) {
  if (!frame.function.empty()) return clean_text(frame.function);
  if (frame.kind == FrameKind::kPython) return "<unnamed>";
  return frame.kind == FrameKind::kMarker ? "[unknown]" : fmt::format("{:#x}", frame.address);
}

std::string place_text(const model::Profile& profile, const model::Frame& frame, uint32_t line,
                       bool full_paths) {
  if (frame.kind == FrameKind::kMarker) return "";
  if (frame.kind == FrameKind::kKernel) return "[kernel]";
  if (frame.kind != FrameKind::kPython) return module_text(module_path(profile, frame), full_paths);
  if (frame.file.empty()) return "?";
  const std::string file = path_text(frame.file, full_paths);
  return line == 0 ? file : fmt::format("{}:{}", file, line);
}

std::string source_text(const model::Profile& profile, const model::Frame& frame, uint32_t line,
                        bool full_paths) {
  const std::string place = place_text(profile, frame, line, full_paths);
  const bool native = frame.kind == FrameKind::kNative || frame.kind == FrameKind::kInterpreter;
  if (!native || frame.file.empty() || line == 0) return place;
  return fmt::format("{}:{} {}", path_text(frame.file, full_paths), line, place);
}

std::string frame_text(const model::Profile& profile, const model::Frame& frame,
                       const TextOptions& options) {
  const std::string function = function_text(frame);
  if (frame.kind == FrameKind::kMarker) return function;
  const std::string place =
      place_text(profile, frame, shown_line(frame, options.lines), options.full_paths);
  if (frame.kind == FrameKind::kPython) return fmt::format("{} ({})", function, place);
  return fmt::format("{} {}", function, place);
}

const char* kind_text(FrameKind kind) {
  switch (kind) {
    case FrameKind::kPython:
      return "python";
    case FrameKind::kNative:
      return "native";
    case FrameKind::kInterpreter:
      return "interpreter";
    case FrameKind::kKernel:
      return "kernel";
    case FrameKind::kMarker:
      break;
  }
  return "marker";
}

std::string thread_name(const model::Thread& thread) {
  return clean_text(thread.python_name.empty() ? thread.comm : thread.python_name, 128);
}

std::string thread_text(const model::Thread& thread) {
  return fmt::format("thread {} ({})", thread_name(thread), thread.tid);
}

std::string process_text(const model::ProcessInfo& process) {
  return fmt::format("process {} ({})", clean_text(process.comm, 128), process.pid);
}

}  // namespace pyprof::aggregate
