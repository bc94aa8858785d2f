// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/callgrind.h"

#include <fmt/format.h>

#include <iterator>
#include <map>
#include <string_view>

#include "userspace/aggregate/call_graph.h"
#include "userspace/aggregate/summary.h"
#include "userspace/export/source.h"

namespace pyprof::exporter {
namespace {

using aggregate::CallGraph;
using aggregate::Cost;

class CallgrindWriter {
 public:
  explicit CallgrindWriter(const model::Profile& profile) : profile_(profile), graph_(profile) {}

  std::string run() && {
    const auto summary = aggregate::summarize(profile_);
    put("# callgrind format\nversion: 1\ncreator: pyebpf-prof {}\n", profile_.tool_version);
    put("cmd: {}\n", aggregate::subject_text(profile_));
    put("desc: calls are samples below them, not counted calls\npositions: line\n");
    put("events: Samples CPU_ns\nsummary: {} {}\n", summary.samples, summary.weight_ns);
    auto line = graph_.lines().begin();
    auto call = graph_.calls().begin();
    for (uint32_t function = 0; function < graph_.functions().size(); ++function) {
      if (graph_.functions()[function].total.samples == 0) continue;
      begin_function(function);
      if (graph_.functions()[function].self.samples == 0)  // callgrind_annotate wants one per file
        put_cost(describe(function).first_line, {});
      for (; line != graph_.lines().end() && line->first.function == function; ++line)
        put_cost(line->first.line, line->second);
      for (; call != graph_.calls().end() && call->first.caller == function; ++call)
        put_call(call->first, call->second.total);
    }
    return std::move(out_);
  }

 private:
  template <typename... Values>
  void put(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Values>(values)...);
  }

  void put_cost(uint32_t line, const Cost& cost) {
    put("{} {} {}\n", line, cost.samples, cost.weight_ns);
  }

  void begin_function(uint32_t function) {
    const SourceText source = describe(function);
    put("\nob={}\n", name(objects_, object_of(source)));
    put("fl={}\n", name(files_, file_of(source)));
    put("fn={}\n", name(functions_, source.function));
  }

  void put_call(const CallGraph::Call& call, const Cost& total) {
    const SourceText source = describe(call.callee);
    put("cob={}\n", name(objects_, object_of(source)));
    put("cfi={}\n", name(files_, file_of(source)));
    put("cfn={}\n", name(functions_, source.function));
    put("calls={} {}\n", total.samples, source.first_line);
    put_cost(call.line, total);
  }

  [[nodiscard]] SourceText describe(uint32_t function) const {
    return source_of(profile_, profile_.frames[graph_.functions()[function].frame], {});
  }
  static std::string object_of(const SourceText& source) {
    return source.module.empty() ? "python" : source.module;
  }
  static std::string file_of(const SourceText& source) {
    return source.file.empty() ? "???" : source.file;
  }

  // "(7) name" at first sight, "(7)" later.
  using Names = std::map<std::string, std::size_t>;
  static std::string name(Names& known, const std::string& text) {
    const auto [at, is_new] = known.try_emplace(text, known.size() + 1);
    return is_new ? fmt::format("({}) {}", at->second, text) : fmt::format("({})", at->second);
  }

  const model::Profile& profile_;
  const CallGraph graph_;
  std::string out_;
  Names objects_, files_, functions_;
};

}  // namespace

std::string to_callgrind(const model::Profile& profile) {
  return CallgrindWriter(profile).run();
}

}  // namespace pyprof::exporter
