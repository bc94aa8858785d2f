// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/speedscope.h"

#include <map>
#include <nlohmann/json.hpp>
#include <tuple>
#include <vector>

#include "userspace/aggregate/summary.h"
#include "userspace/export/source.h"

namespace pyprof::exporter {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSchema = "https://www.speedscope.app/file-format-schema.json";

class SpeedscopeWriter {
 public:
  SpeedscopeWriter(const model::Profile& profile, const aggregate::TextOptions& text)
      : profile_(profile),
        text_(text),
        summary_(aggregate::summarize(profile)),
        frame_numbers_(profile.frames.size(), 0) {}

  std::string run() && {
    std::vector<std::vector<const model::Sample*>> by_thread(profile_.threads.size());
    for (const model::Sample& sample : profile_.samples)
      by_thread[sample.thread].push_back(&sample);
    Json threads = Json::array();
    for (uint32_t thread = 0; thread < by_thread.size(); ++thread) {
      if (!by_thread[thread].empty()) threads.push_back(thread_profile(thread, by_thread[thread]));
    }
    Json root;
    root["$schema"] = kSchema;
    root["exporter"] = "pyebpf-prof " + profile_.tool_version;
    root["name"] = aggregate::subject_text(profile_);
    root["activeProfileIndex"] = 0;
    root["shared"]["frames"] = std::move(frames_);
    root["profiles"] = std::move(threads);
    return root.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }

 private:
  Json thread_profile(uint32_t thread, const std::vector<const model::Sample*>& taken) {
    Json samples = Json::array();
    Json weights = Json::array();
    uint64_t sum = 0;
    for (const model::Sample* sample : taken) {
      const uint64_t value = aggregate::sample_value(*sample, summary_);
      samples.push_back(numbers_of(profile_.stacks[sample->stack]));
      weights.push_back(value);
      sum += value;
    }
    Json result;
    result["type"] = "sampled";
    result["name"] = thread_title(profile_, profile_.threads[thread]);
    result["unit"] = summary_.weight_ns > 0 ? "nanoseconds" : "none";
    result["startValue"] = 0;
    result["endValue"] = sum;
    result["samples"] = std::move(samples);
    result["weights"] = std::move(weights);
    return result;
  }

  // Root first.
  std::vector<uint32_t> numbers_of(const model::Stack& stack) {
    std::vector<uint32_t> numbers;
    for (auto frame = stack.frames.rbegin(); frame != stack.frames.rend(); ++frame)
      numbers.push_back(number_of(*frame));
    return numbers;
  }

  uint32_t number_of(uint32_t frame) {
    uint32_t& known = frame_numbers_[frame];
    if (known != 0) return known - 1;
    const SourceText source = source_of(profile_, profile_.frames[frame], text_);
    const auto next = static_cast<uint32_t>(frames_.size());
    const auto [at, is_new] =
        by_text_.try_emplace({source.function, source.file, source.line}, next);
    if (is_new) {
      Json json;
      json["name"] = source.function;
      if (!source.file.empty()) json["file"] = source.file;
      if (source.line != 0) json["line"] = source.line;
      frames_.push_back(std::move(json));
    }
    known = at->second + 1;
    return at->second;
  }

  const model::Profile& profile_;
  const aggregate::TextOptions text_;
  const aggregate::Summary summary_;
  Json frames_ = Json::array();
  std::vector<uint32_t> frame_numbers_;  // 1 + index into frames_
  std::map<std::tuple<std::string, std::string, uint32_t>, uint32_t> by_text_;
};

}  // namespace

std::string to_speedscope(const model::Profile& profile, const aggregate::TextOptions& text) {
  return SpeedscopeWriter(profile, text).run();
}

}  // namespace pyprof::exporter
