// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/perf_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/summary.h"
#include "userspace/export/source.h"

namespace pyprof::exporter {
namespace {

class PerfScriptWriter {
 public:
  PerfScriptWriter(const model::Profile& profile, const PerfScriptOptions& options)
      : profile_(profile),
        options_(options),
        samples_(std::max<uint64_t>(1, aggregate::summarize(profile).samples)),
        frames_(profile.frames.size()) {}

  std::string run() && {
    for (const model::Sample& sample : profile_.samples) {
      const std::string stack = stack_text(profile_.stacks[sample.stack]);
      const std::string head = head_text(profile_.threads[sample.thread]);
      const uint64_t period_ns = sample.count > 0 ? sample.weight_ns / sample.count : 0;
      for (uint64_t i = 0; i < sample.count; ++i)
        put_record(head, period_ns, stack);
    }
    if (left_out_ > 0) out_ += fmt::format("# {} samples left out: too many\n", left_out_);
    return std::move(out_);
  }

 private:
  void put_record(const std::string& head, uint64_t period_ns, const std::string& stack) {
    const double at_s = aggregate::seconds(profile_.duration_ns) * static_cast<double>(written_) /
                        static_cast<double>(samples_);
    ++written_;
    if (out_.size() + head.size() + stack.size() + 64 > options_.max_bytes) {
      ++left_out_;
      return;
    }
    out_ += fmt::format("{} {:.9f}: {} {}:\n{}\n", head, at_s, period_ns, event(), stack);
  }

  [[nodiscard]] const char* event() const {
    return profile_.event.empty() ? "cpu-clock" : profile_.event.c_str();
  }

  [[nodiscard]] std::string head_text(const model::Thread& thread) const {
    std::string comm = aggregate::thread_name(thread);
    if (comm.empty()) comm = "?";
    return fmt::format("{} {}/{}", comm, profile_.processes[thread.process].pid, thread.tid);
  }

  std::string stack_text(const model::Stack& stack) {
    std::string text;
    for (const uint32_t frame : stack.frames)
      text += frame_line(frame);
    return text;
  }

  const std::string& frame_line(uint32_t number) {
    std::string& line = frames_[number];
    if (!line.empty()) return line;
    const model::Frame& frame = profile_.frames[number];
    const SourceText source = source_of(profile_, frame, options_.text);
    std::string object = source.module.empty() ? source.file : source.module;
    if (object.empty()) object = "unknown";
    if (source.module.empty() && source.line != 0) object += ":" + std::to_string(source.line);
    line =
        fmt::format("\t{:16x} {} ({})\n", frame.address, aggregate::function_text(frame), object);
    return line;
  }

  const model::Profile& profile_;
  const PerfScriptOptions options_;
  const uint64_t samples_;
  std::vector<std::string> frames_;
  std::string out_;
  uint64_t written_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace

std::string to_perf_script(const model::Profile& profile, const PerfScriptOptions& options) {
  return PerfScriptWriter(profile, options).run();
}

}  // namespace pyprof::exporter
