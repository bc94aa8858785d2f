// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "userspace/aggregate/clean_text.h"

namespace pyprof::aggregate {
namespace {

std::string share_text(uint64_t part, uint64_t whole) {
  if (part == 0) return "0";
  return fmt::format("{} ({:.2f} %)", with_thousands(part), percent(part, whole));
}

// Of a list that can be read, all names but those of some BPF programs are there.
bool kernel_names_hidden(const model::Profile& profile) {
  const auto in_kernel = [](const model::Frame& f) { return f.kind == model::FrameKind::kKernel; };
  const auto& frames = profile.frames;
  return std::any_of(frames.begin(), frames.end(), in_kernel) &&
         std::none_of(frames.begin(), frames.end(), [&](const model::Frame& frame) {
           return in_kernel(frame) && !frame.function.empty();
         });
}

}  // namespace

Summary summarize(const model::Profile& profile) {
  Summary summary;
  for (const model::Sample& sample : profile.samples) {
    summary.samples += sample.count;
    summary.weight_ns += sample.weight_ns;
  }
  for (const model::Thread& thread : profile.threads)
    summary.measured_ns += thread.cpu_ns;
  return summary;
}

uint64_t sample_value(const model::Sample& sample, const Summary& summary) {
  return summary.weight_ns > 0 ? sample.weight_ns : sample.count;
}

std::string quality_text(const model::Profile& profile) {
  const model::Quality& quality = profile.quality;
  const uint64_t samples = quality.samples;
  const uint64_t truncated = std::min(samples, quality.truncated_native + quality.truncated_python);
  const uint64_t unnamed = std::min(samples, quality.unnamed_python + quality.unnamed_native);
  return fmt::format("lost {}, truncated {}, unsymbolised {}{}",
                     share_text(quality.lost, samples + quality.lost),
                     share_text(truncated, samples), share_text(unnamed, samples),
                     kernel_names_hidden(profile) ? ", no kernel names (see doctor)" : "");
}

std::string subject_text(const model::Profile& profile) {
  if (profile.processes.empty()) return "no process";
  if (profile.processes.size() > 1) return fmt::format("{} processes", profile.processes.size());
  const model::ProcessInfo& process = profile.processes.front();
  return fmt::format("pid {} {}", process.pid, clean_text(process.comm, 128));
}

std::string with_thousands(uint64_t value) {
  std::string text = std::to_string(value);
  for (std::size_t at = text.size(); at > 3; at -= 3)
    text.insert(at - 3, 1, ',');
  return text;
}

std::string utc_text(int64_t unix_ns) {
  const auto unix_s = static_cast<time_t>(unix_ns / 1'000'000'000);
  std::tm parts = {};
  char text[32];
  if (gmtime_r(&unix_s, &parts) == nullptr) return "?";
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

double percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

double seconds(uint64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

}  // namespace pyprof::aggregate
