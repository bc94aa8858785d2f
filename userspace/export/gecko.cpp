// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/gecko.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "userspace/aggregate/clean_text.h"
#include "userspace/export/source.h"

namespace pyprof::exporter {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 24;
constexpr uint64_t kMaxRows = 2'000'000;

// Numbers that frameTable's rows give their categories by.
enum Category : uint8_t { kPython, kNative, kInterpreter, kKernel, kOther };

Json categories() {
  const std::pair<const char*, const char*> names[] = {{"Python", "yellow"},
                                                       {"Native", "blue"},
                                                       {"Interpreter", "lightblue"},
                                                       {"Kernel", "orange"},
                                                       {"Other", "grey"}};
  Json list = Json::array();
  for (const auto& [name, color] : names)
    list.push_back({{"name", name}, {"color", color}, {"subcategories", {"Other"}}});
  return list;
}

Category category_of(model::FrameKind kind) {
  switch (kind) {
    case model::FrameKind::kPython:
      return kPython;
    case model::FrameKind::kNative:
      return kNative;
    case model::FrameKind::kInterpreter:
      return kInterpreter;
    case model::FrameKind::kKernel:
      return kKernel;
    case model::FrameKind::kMarker:
      break;
  }
  return kOther;
}

// The tables of one thread, which point at each other by row.
class ThreadTables {
 public:
  ThreadTables(const model::Profile& profile, const aggregate::TextOptions& text)
      : profile_(profile), text_(text) {}

  void add(const model::Sample& sample, double period_ms) {
    const Json stack = stack_row(profile_.stacks[sample.stack]);
    for (uint64_t i = 0; i < sample.count && samples_.size() < kMaxRows; ++i) {
      samples_.push_back({stack, static_cast<double>(samples_.size()) * period_ms, 0});
    }
  }

  Json take(const model::Thread& thread) && {
    const model::ProcessInfo& process = profile_.processes[thread.process];
    Json json;
    json["name"] = aggregate::thread_name(thread);
    json["processType"] = "default";
    json["processName"] = aggregate::clean_text(process.comm, 128);
    json["tid"] = thread.tid;
    json["pid"] = process.pid;
    json["registerTime"] = 0;
    json["unregisterTime"] = nullptr;
    json["markers"] = {{"schema",
                        {{"name", 0},
                         {"startTime", 1},
                         {"endTime", 2},
                         {"phase", 3},
                         {"category", 4},
                         {"data", 5}}},
                       {"data", Json::array()}};
    json["samples"] = {{"schema", {{"stack", 0}, {"time", 1}, {"responsiveness", 2}}},
                       {"data", std::move(samples_)}};
    json["frameTable"] = {{"schema",
                           {{"location", 0},
                            {"relevantForJS", 1},
                            {"innerWindowID", 2},
                            {"implementation", 3},
                            {"line", 4},
                            {"column", 5},
                            {"category", 6},
                            {"subcategory", 7}}},
                          {"data", std::move(frames_)}};
    json["stackTable"] = {{"schema", {{"prefix", 0}, {"frame", 1}}}, {"data", std::move(stacks_)}};
    json["stringTable"] = std::move(strings_);
    return json;
  }

 private:
  // null for a stack without frames.
  Json stack_row(const model::Stack& stack) {
    Json prefix = nullptr;
    int64_t number = -1;
    for (auto frame = stack.frames.rbegin(); frame != stack.frames.rend(); ++frame) {
      const uint32_t row = frame_row(*frame);
      const auto next = static_cast<int64_t>(stacks_.size());
      const auto [at, is_new] = stack_rows_.try_emplace({number, row}, next);
      if (is_new) stacks_.push_back({prefix, row});
      number = at->second;
      prefix = number;
    }
    return prefix;
  }

  uint32_t frame_row(uint32_t number) {
    const auto known = frame_rows_.find(number);
    if (known != frame_rows_.end()) return known->second;
    const model::Frame& frame = profile_.frames[number];
    const SourceText source = source_of(profile_, frame, text_);
    std::string location = source.function;
    if (!source.file.empty()) {
      location += " (" + source.file;
      if (source.line != 0) location += ":" + std::to_string(source.line);
      location += ")";
    }
    const Json line = source.line != 0 ? Json(source.line) : Json(nullptr);
    const auto row = static_cast<uint32_t>(frames_.size());
    frames_.push_back({string_row(location), false, 0, nullptr, line, nullptr,
                       static_cast<int>(category_of(frame.kind)), 0});
    return frame_rows_[number] = row;
  }

  std::size_t string_row(const std::string& text) {
    const auto [at, is_new] = string_rows_.try_emplace(text, strings_.size());
    if (is_new) strings_.push_back(text);
    return at->second;
  }

  const model::Profile& profile_;
  const aggregate::TextOptions& text_;
  Json samples_ = Json::array(), frames_ = Json::array(), stacks_ = Json::array(),
       strings_ = Json::array();
  std::map<std::pair<int64_t, uint32_t>, int64_t> stack_rows_;
  std::map<uint32_t, uint32_t> frame_rows_;
  std::map<std::string, std::size_t> string_rows_;
};

Json meta_of(const model::Profile& profile, double period_ms) {
  Json meta;
  meta["version"] = kVersion;
  meta["interval"] = period_ms;
  meta["startTime"] = static_cast<double>(profile.start_unix_ns) / 1e6;
  meta["shutdownTime"] = nullptr;
  meta["processType"] = 0;
  meta["product"] = "pyebpf-prof";
  meta["importedFrom"] = "pyebpf-prof " + profile.tool_version;
  meta["stackwalk"] = 1;
  meta["debug"] = 0;
  meta["gcpoison"] = 0;
  meta["asyncstack"] = 0;
  meta["presymbolicated"] = true;
  meta["oscpu"] = "Linux";
  meta["platform"] = "Linux";
  meta["categories"] = categories();
  meta["markerSchema"] = Json::array();
  return meta;
}

}  // namespace

std::string to_gecko(const model::Profile& profile, const aggregate::TextOptions& text) {
  const double period_ms = profile.period_ns > 0 ? static_cast<double>(profile.period_ns) / 1e6 : 1;
  std::vector<std::vector<const model::Sample*>> by_thread(profile.threads.size());
  for (const model::Sample& sample : profile.samples)
    by_thread[sample.thread].push_back(&sample);
  Json root;
  root["meta"] = meta_of(profile, period_ms);
  root["libs"] = Json::array();
  root["threads"] = Json::array();
  for (std::size_t i = 0; i < by_thread.size(); ++i) {
    if (by_thread[i].empty()) continue;
    ThreadTables tables(profile, text);
    for (const model::Sample* sample : by_thread[i])
      tables.add(*sample, period_ms);
    root["threads"].push_back(std::move(tables).take(profile.threads[i]));
  }
  root["processes"] = Json::array();
  root["pausedRanges"] = Json::array();
  return root.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace pyprof::exporter
