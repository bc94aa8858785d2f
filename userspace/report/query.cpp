// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "userspace/aggregate/call_graph.h"
#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/summary.h"
#include "userspace/report/function_table.h"
#include "userspace/report/thread_table.h"

namespace pyprof::report {
namespace {

using aggregate::CallGraph;
using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxNamed = 100;  // functions that one name may mean
constexpr std::size_t kMaxPathFrames = 256;

constexpr std::array<Question, 6> kQuestions{{
    {"hottest", "functions by self time"},
    {"threads", "threads by CPU time"},
    {"callers-of", "who calls a function, from which lines", true},
    {"callees-of", "what a function calls, from which lines", true},
    {"paths-through", "the heaviest stacks that a function is in", true},
    {"lines-of", "the lines of a function that ran", true},
}};

class Answer {
 public:
  Answer(const model::Profile& profile, const Query& query)
      : profile_(profile), query_(query), summary_(aggregate::summarize(profile)), graph_(profile) {
    for (const model::Sample& sample : profile.samples)
      whole_ += aggregate::sample_value(sample, summary_);
  }

  Result<Json> run() {
    Json out{{"question", query_.question}};
    if (needs_name()) {
      find_named();
      if (named_.empty()) return no_such_function();
      out["functions"] = named_json();
    }
    out["samples"] = summary_.samples;
    out["cpu_s"] = aggregate::seconds(summary_.cpu_ns());
    out["rows"] = rows();
    return out;
  }

 private:
  [[nodiscard]] bool needs_name() const {
    return std::any_of(kQuestions.begin(), kQuestions.end(), [this](const Question& question) {
      return question.name == query_.question && question.about_function;
    });
  }

  [[nodiscard]] const model::Frame& frame_of(uint32_t function) const {
    return profile_.frames[graph_.functions()[function].frame];
  }
  [[nodiscard]] std::string name_of(uint32_t function) const {
    return aggregate::function_text(frame_of(function));
  }
  [[nodiscard]] std::string place_of(uint32_t function, uint32_t line) const {
    return aggregate::source_text(profile_, frame_of(function), line, query_.full_paths);
  }

  void find_named() {
    for (uint32_t i = 0; i < graph_.functions().size(); ++i) {
      if (name_of(i) == query_.name) named_.insert(i);
    }
    for (uint32_t i = 0; named_.empty() && i < graph_.functions().size(); ++i) {
      const std::string both = place_of(i, 0) + ":" + name_of(i);
      if (both.find(query_.name) != std::string::npos) partly_.insert(i);
    }
    if (named_.empty() && partly_.size() <= kMaxNamed) named_ = partly_;
  }

  [[nodiscard]] Error no_such_function() const {
    const std::string name = aggregate::clean_text(query_.name, 80);
    if (!partly_.empty()) {
      return Error{fmt::format("'{}' could be any of {} functions: give more of the name", name,
                               partly_.size())};
    }
    return Error{
        fmt::format("no function of the profile is called '{}'; ask for the hottest", name)};
  }

  [[nodiscard]] double percent(uint64_t value) const { return aggregate::percent(value, whole_); }
  // As sample_value(): weights where the profile has them.
  [[nodiscard]] double percent(const aggregate::Cost& cost) const {
    return percent(summary_.weight_ns > 0 ? cost.weight_ns : cost.samples);
  }

  [[nodiscard]] Json named_json() const {
    Json list = Json::array();
    for (const uint32_t function : named_) {
      const auto& known = graph_.functions()[function];
      list.push_back({{"function", name_of(function)},
                      {"place", place_of(function, frame_of(function).first_line)},
                      {"kind", aggregate::kind_text(frame_of(function).kind)},
                      {"self_percent", percent(known.self)},
                      {"total_percent", percent(known.total)}});
    }
    return list;
  }

  [[nodiscard]] Json rows() const {
    if (query_.question == "hottest") return hottest();
    if (query_.question == "threads") return threads();
    if (query_.question == "callers-of") return calls(&CallGraph::Call::callee);
    if (query_.question == "callees-of") return calls(&CallGraph::Call::caller);
    return query_.question == "lines-of" ? lines() : paths();
  }

  [[nodiscard]] Json hottest() const {
    Json list = Json::array();
    const FunctionTable functions(profile_, summary_, query_.full_paths);
    for (const FunctionRow& row : functions.by_self(query_.limit)) {
      list.push_back({{"function", row.name},
                      {"place", row.place},
                      {"hot_place", row.hot_place},
                      {"kind", aggregate::kind_text(row.kind)},
                      {"self_percent", percent(row.self_value)},
                      {"total_percent", percent(row.total_value)}});
    }
    return list;
  }

  [[nodiscard]] Json threads() const {
    Json list = Json::array();
    for (const ThreadRow& row : thread_rows(profile_, summary_, query_.full_paths)) {
      if (list.size() >= query_.limit) break;
      const model::Thread& thread = profile_.threads[row.thread];
      list.push_back({{"pid", profile_.processes[thread.process].pid},
                      {"tid", thread.tid},
                      {"name", aggregate::thread_name(thread)},
                      {"percent", aggregate::percent(row.cpu_ns, summary_.cpu_ns())},
                      {"top_function", row.top}});
    }
    return list;
  }

  // The rows of `costs`, the heaviest first, equal ones as they came.
  template <typename Key>
  [[nodiscard]] std::vector<std::pair<Key, double>> heaviest(
      std::vector<std::pair<Key, double>> costs) const {
    std::stable_sort(costs.begin(), costs.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    if (costs.size() > query_.limit) costs.resize(query_.limit);
    return costs;
  }

  [[nodiscard]] Json calls(uint32_t CallGraph::Call::*named_side) const {
    std::vector<std::pair<CallGraph::Call, double>> found;
    for (const auto& [call, cost] : graph_.calls()) {
      if (named_.contains(call.*named_side)) found.emplace_back(call, percent(cost.total));
    }
    Json list = Json::array();
    for (const auto& [call, share] : heaviest(std::move(found))) {
      list.push_back({{"caller", name_of(call.caller)},
                      {"caller_place", place_of(call.caller, call.line)},
                      {"callee", name_of(call.callee)},
                      {"callee_place", place_of(call.callee, frame_of(call.callee).first_line)},
                      {"percent", share}});
    }
    return list;
  }

  [[nodiscard]] Json lines() const {
    std::vector<std::pair<CallGraph::Line, double>> found;
    for (const auto& [line, cost] : graph_.lines()) {
      if (named_.contains(line.function)) found.emplace_back(line, percent(cost));
    }
    Json list = Json::array();
    for (const auto& [line, share] : heaviest(std::move(found))) {
      list.push_back({{"function", name_of(line.function)},
                      {"place", place_of(line.function, line.line)},
                      {"line", line.line},
                      {"self_percent", share}});
    }
    return list;
  }

  [[nodiscard]] bool is_named(const model::Frame& frame) const {
    return std::any_of(named_.begin(), named_.end(), [&](uint32_t function) {
      const model::Frame& known = frame_of(function);
      return known.kind == frame.kind && known.module == frame.module &&
             known.function == frame.function && known.file == frame.file;
    });
  }

  [[nodiscard]] Json paths() const {
    std::map<uint32_t, uint64_t> values;
    for (const model::Sample& sample : profile_.samples) {
      const auto& frames = profile_.stacks[sample.stack].frames;
      if (std::any_of(frames.begin(), frames.end(),
                      [this](uint32_t frame) { return is_named(profile_.frames[frame]); })) {
        values[sample.stack] += aggregate::sample_value(sample, summary_);
      }
    }
    std::vector<std::pair<uint32_t, double>> found;
    for (const auto& [stack, value] : values)
      found.emplace_back(stack, percent(value));
    Json list = Json::array();
    for (const auto& [stack, share] : heaviest(std::move(found)))
      list.push_back({{"percent", share}, {"frames", path(profile_.stacks[stack])}});
    return list;
  }

  // Root first; of longer ones the innermost.
  [[nodiscard]] Json path(const model::Stack& stack) const {
    Json frames = Json::array();
    const std::size_t count = std::min(stack.frames.size(), kMaxPathFrames);
    for (std::size_t i = count; i-- > 0;) {
      frames.push_back(aggregate::frame_text(profile_, profile_.frames[stack.frames[i]],
                                             {.full_paths = query_.full_paths}));
    }
    return frames;
  }

  const model::Profile& profile_;
  const Query& query_;
  const aggregate::Summary summary_;
  const CallGraph graph_;
  std::set<uint32_t> named_;   // functions that are asked about
  std::set<uint32_t> partly_;  // whose names hold the one that was given
  uint64_t whole_ = 0;
};

}  // namespace

std::span<const Question> questions() {
  return kQuestions;
}

Result<std::string> answer(const model::Profile& profile, const Query& query) {
  const bool known =
      std::any_of(kQuestions.begin(), kQuestions.end(),
                  [&](const Question& question) { return question.name == query.question; });
  if (!known) {
    return Error{
        fmt::format("unknown question '{}': ask hottest, threads, callers-of, callees-of, "
                    "paths-through or lines-of",
                    aggregate::clean_text(query.question, 40))};
  }
  auto json = Answer(profile, query).run();
  if (!json) return json.error();
  return json->dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace pyprof::report
