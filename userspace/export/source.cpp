// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/source.h"

#include "userspace/aggregate/clean_text.h"

namespace pyprof::exporter {
namespace {

constexpr std::size_t kMaxPathBytes = 4096;

std::string module_of(const model::Profile& profile, const model::Frame& frame) {
  if (frame.kind == model::FrameKind::kKernel) return "[kernel]";
  if (frame.module == 0 || frame.module > profile.modules.size()) return "";
  return aggregate::clean_text(profile.modules[frame.module - 1].path, kMaxPathBytes);
}

uint32_t line_of(const model::Frame& frame, aggregate::LineMode mode) {
  if (mode == aggregate::LineMode::kNone) return 0;
  return mode == aggregate::LineMode::kFirst ? frame.first_line : frame.line;
}

}  // namespace

SourceText source_of(const model::Profile& profile, const model::Frame& frame,
                     const aggregate::TextOptions& text) {
  SourceText source;
  source.function = aggregate::function_text(frame);
  source.file = aggregate::clean_text(frame.file, kMaxPathBytes);
  source.module = module_of(profile, frame);
  source.line = line_of(frame, text.lines);
  source.first_line = frame.first_line;
  if (!source.module.empty() && source.file.empty()) {
    const std::string_view name =
        text.full_paths ? std::string_view(source.module) : aggregate::base_name(source.module);
    const bool bracketed = name.starts_with('[');
    source.function += bracketed ? " " + std::string(name) : " [" + std::string(name) + "]";
  }
  return source;
}

std::string thread_title(const model::Profile& profile, const model::Thread& thread) {
  const std::string title = aggregate::thread_text(thread);
  if (profile.processes.size() < 2) return title;
  return aggregate::process_text(profile.processes[thread.process]) + " " + title;
}

}  // namespace pyprof::exporter
