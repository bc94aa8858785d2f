// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "userspace/aggregate/call_tree.h"
#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/package.h"
#include "userspace/aggregate/summary.h"
#include "userspace/export/source.h"
#include "userspace/export/svg_layout.h"

namespace pyprof::exporter {
namespace {

using aggregate::CallName;
using aggregate::CallTree;
using aggregate::GroupBy;
using aggregate::Summary;
using model::FrameKind;
using Json = nlohmann::ordered_json;

// Whose code a frame is, as KINDS in page/profile.js numbers it.
enum class Owner : uint8_t {
  kApp,
  kStdlib,
  kSitePackages,
  kNative,
  kInterpreter,
  kKernel,
  kGc,
  kNone
};

// CPython's collector, by the names of its functions.
bool collects_garbage(std::string_view function) {
  for (const std::string_view start :
       {"gc_collect", "_PyGC_Collect", "PyGC_Collect", "_Py_RunGC", "gc_alloc_collect", "collect_g",
        "deduce_unreachable", "_Py_TriggerGC"}) {
    if (function.starts_with(start)) return true;
  }
  return false;
}

Owner owner_of(const model::Frame& frame, std::string_view package) {
  switch (frame.kind) {
    case FrameKind::kPython:
      if (package == "app") return Owner::kApp;
      return package == "stdlib" || package == "frozen" ? Owner::kStdlib : Owner::kSitePackages;
    case FrameKind::kKernel:
      return Owner::kKernel;
    case FrameKind::kMarker:
      return Owner::kNone;
    default:
      break;
  }
  if (collects_garbage(frame.function)) return Owner::kGc;
  return frame.kind == FrameKind::kNative ? Owner::kNative : Owner::kInterpreter;
}

std::string key_of(FrameKind kind, const std::string& text) {
  return text + static_cast<char>(kind);
}

// JSON inside a script element: '<' would let a name end the element.
std::string escape_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    if (c == '<' || c == '>' || c == '&') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

class PageWriter {
 public:
  // `profile` has the samples of `shown`, then those of the baseline if there is one.
  PageWriter(const model::Profile& profile, const model::Profile& shown, const PageOptions& options,
             const PageBaseline& before, const CallTree& tree)
      : profile_(profile),
        shown_(shown),
        options_(options),
        before_(before),
        tree_(tree),
        summary_(aggregate::summarize(shown)) {
    sort_names();
  }

  Json run() && {
    Json root;
    root["title"] = aggregate::subject_text(shown_);
    if (before_.profile != nullptr) {
      root["before"] = aggregate::clean_text(before_.name);
      root["unit"] = before_.unit;
    }
    root["head"] = head();
    root["cpu_ns"] = summary_.cpu_ns();
    root["duration_ns"] = profile_.duration_ns;
    root["split"] = options_.threads;
    root["levels"] = levels();
    root["frames"] = frames();
    root["nodes"] = nodes();
    root["processes"] = processes();
    root["threads"] = threads();
    root["samples"] = samples();
    root["strings"] = std::move(strings_);
    return root;
  }

 private:
  // What the page says at its top: [[label, value], ...].
  [[nodiscard]] Json head() const {
    Json head = Json::array();
    const auto add = [&head](const char* label, const std::string& value) {
      if (!value.empty()) head.push_back({label, value});
    };
    add("host", aggregate::clean_text(shown_.host));
    if (shown_.processes.size() == 1) add_process(add, shown_.processes.front());
    if (shown_.start_unix_ns > 0) add("start", aggregate::utc_text(shown_.start_unix_ns));
    if (shown_.duration_ns > 0)
      add("duration", fmt::format("{:.1f} s", aggregate::seconds(shown_.duration_ns)));
    if (shown_.rate_hz > 0) add("rate", fmt::format("{} Hz", shown_.rate_hz));
    add("clock", aggregate::clean_text(shown_.event));
    add("samples", aggregate::with_thousands(summary_.samples));
    if (summary_.cpu_ns() > 0)
      add("CPU", fmt::format("{:.2f} s", aggregate::seconds(summary_.cpu_ns())));
    add("quality", aggregate::quality_text(shown_));
    add("pyebpf-prof", aggregate::clean_text(shown_.tool_version));
    return head;
  }

  template <typename Add>
  static void add_process(const Add& add, const model::ProcessInfo& process) {
    add("executable", aggregate::clean_text(process.exe));
    add("CPython", aggregate::clean_text(process.python_full_version));
    const model::ContainerIdentity& container = process.container;
    const std::string runtime = container.runtime.empty() ? "" : container.runtime + " ";
    if (!container.id.empty())
      add("container", aggregate::clean_text(runtime + container.id.substr(0, 12)));
    add("unit", aggregate::clean_text(container.unit));
  }

  // The page draws boxes in the order of their numbers. "all", the root's, stays the first.
  void sort_names() {
    const std::vector<CallName>& names = tree_.names();
    sorted_names_.resize(names.size());
    std::iota(sorted_names_.begin(), sorted_names_.end(), 0);
    std::sort(sorted_names_.begin() + 1, sorted_names_.end(), [&names](uint32_t a, uint32_t b) {
      return std::tie(names[a].text, names[a].kind) < std::tie(names[b].text, names[b].kind);
    });
    name_ranks_.resize(names.size());
    for (uint32_t rank = 0; rank < sorted_names_.size(); ++rank)
      name_ranks_[sorted_names_[rank]] = rank;
  }

  // Columns, by the tree's names; `file`, `module` and `package` are indexes into the strings.
  Json frames() {
    std::unordered_map<std::string, const model::Frame*> spelled;
    for (const model::Frame& frame : profile_.frames) {
      spelled.try_emplace(key_of(frame.kind, aggregate::frame_text(profile_, frame, options_.text)),
                          &frame);
    }
    model::Frame no_code;
    no_code.kind = FrameKind::kMarker;
    Json columns;
    for (const char* column : {"text", "owner", "file", "line", "module", "package"})
      columns[column] = Json::array();
    for (const uint32_t index : sorted_names_) {
      const CallName& name = tree_.names()[index];
      const auto found = spelled.find(key_of(name.kind, name.text));
      columns["text"].push_back(name.text);
      add_frame(columns, found == spelled.end() ? no_code : *found->second);
    }
    return columns;
  }

  void add_frame(Json& columns, const model::Frame& frame) {
    const SourceText source = source_of(profile_, frame, options_.text);
    const std::string package = aggregate::package_text(profile_, frame);
    columns["owner"].push_back(static_cast<int>(owner_of(frame, package)));
    columns["file"].push_back(string_index(source.file));
    columns["line"].push_back(source.line);
    columns["module"].push_back(string_index(source.module));
    columns["package"].push_back(string_index(package));
  }

  uint32_t string_index(const std::string& text) {
    const auto [at, is_new] =
        string_indexes_.try_emplace(text, static_cast<uint32_t>(strings_.size()));
    if (is_new) strings_.push_back(text);
    return at->second;
  }

  [[nodiscard]] Json nodes() const {
    std::vector<uint32_t> parents;
    std::vector<uint32_t> names;
    for (const aggregate::CallNode& node : tree_.nodes()) {
      parents.push_back(node.parent);
      names.push_back(name_ranks_[node.name]);
    }
    return {{"parent", parents}, {"frame", names}};
  }

  // Nodes between the root and a thread's frames: its process where there are several, its group.
  [[nodiscard]] int levels() const {
    const bool grouped = options_.by != GroupBy::kNone && options_.by != GroupBy::kThread;
    return (profile_.processes.size() > 1 ? 1 : 0) + (grouped ? 1 : 0);
  }

  [[nodiscard]] Json processes() const {
    Json texts = Json::array();
    for (const model::ProcessInfo& process : profile_.processes)
      texts.push_back(aggregate::process_text(process));
    return texts;
  }

  [[nodiscard]] Json threads() const {
    Json rows = Json::array();
    for (const model::Thread& thread : profile_.threads) {
      rows.push_back({{"name", aggregate::thread_name(thread)},
                      {"text", aggregate::thread_text(thread)},
                      {"process", thread.process},
                      {"main", thread.tid == profile_.processes[thread.process].pid},
                      {"cpu_ns", thread.cpu_ns}});
    }
    return rows;
  }

  struct Sum {
    uint64_t count = 0;
    uint64_t weight_ns = 0;

    void add(const model::Sample& sample) {
      count += sample.count;
      weight_ns += sample.weight_ns;
    }
  };
  struct Sums {
    Sum all;
    Sum gil;  // of these, with the GIL
    Sum before;
  };

  // Columns by thread and node, without what else tells samples apart.
  [[nodiscard]] Json samples() const {
    std::map<std::pair<uint32_t, uint32_t>, Sums> sums;
    bool has_gil = false;
    for (std::size_t i = 0; i < profile_.samples.size(); ++i) {
      const model::Sample& sample = profile_.samples[i];
      Sums& known = sums[{sample.thread, tree_.sample_nodes()[i]}];
      if (i >= shown_.samples.size()) {
        known.before.add(sample);
        continue;
      }
      known.all.add(sample);
      if (aggregate::labels_of(profile_, sample).gil != model::Gil::kHeld) continue;
      known.gil.add(sample);
      has_gil = true;
    }
    std::vector<uint32_t> threads, nodes;
    std::vector<Sum> all, gil, before;
    for (const auto& [at, known] : sums) {
      threads.push_back(at.first);
      nodes.push_back(at.second);
      all.push_back(known.all);
      gil.push_back(known.gil);
      before.push_back(known.before);
    }
    Json columns = {{"thread", threads}, {"node", nodes}};
    add_sums(columns, all, "count", "weight_ns");
    if (has_gil) add_sums(columns, gil, "gil_count", "gil_ns");
    if (before_.profile != nullptr) add_before(columns, before);
    return columns;
  }

  void add_sums(Json& columns, const std::vector<Sum>& sums, const char* count,
                const char* weight) const {
    columns[count] = Json::array();
    if (summary_.weight_ns > 0) columns[weight] = Json::array();
    for (const Sum& sum : sums) {
      columns[count].push_back(sum.count);
      if (summary_.weight_ns > 0) columns[weight].push_back(sum.weight_ns);
    }
  }

  void add_before(Json& columns, const std::vector<Sum>& sums) const {
    columns["before_count"] = Json::array();
    columns["before_value"] = Json::array();
    for (const Sum& sum : sums) {
      const uint64_t value = summary_.weight_ns > 0 ? sum.weight_ns : sum.count;
      columns["before_count"].push_back(sum.count);
      columns["before_value"].push_back(static_cast<double>(value) * before_.scale);
    }
  }

  const model::Profile& profile_;
  const model::Profile& shown_;
  const PageOptions& options_;
  const PageBaseline& before_;
  const CallTree& tree_;
  const Summary summary_;
  std::vector<uint32_t> sorted_names_;  // indexes of the tree's names
  std::vector<uint32_t> name_ranks_;    // the reverse
  Json strings_ = Json::array();
  std::unordered_map<std::string, uint32_t> string_indexes_;
};

// Fills in the first `{{name}}` and puts all up to its end into `out`; the rest stays in `page`.
void fill_in(std::string& out, std::string_view& page, std::string_view name,
             std::string_view text) {
  const std::size_t at = page.find(name);
  out.append(page.substr(0, at)).append(text);
  page.remove_prefix(at + name.size());
}

// Puts tables of one profile behind those of another. What is equal is joined by the call tree.
class Appender {
 public:
  explicit Appender(model::Profile& into) : into_(into) {
    if (into_.processes.size() > 1) into_.processes.resize(1);
    for (uint32_t i = 0; i < into_.threads.size(); ++i) {
      into_.threads[i].process = 0;
      threads_.try_emplace(aggregate::thread_name(into_.threads[i]), i);
    }
  }

  void add(const model::Profile& part) {
    const auto frames = static_cast<uint32_t>(into_.frames.size());
    const auto stacks = static_cast<uint32_t>(into_.stacks.size());
    add_frames(part);
    for (model::Stack stack : part.stacks) {
      for (uint32_t& frame : stack.frames)
        frame += frames;
      into_.stacks.push_back(std::move(stack));
    }
    for (model::Sample sample : part.samples) {
      sample.thread = thread(part.threads[sample.thread]);
      sample.stack += stacks;
      sample.labels = 0;
      into_.samples.push_back(sample);
    }
  }

 private:
  void add_frames(const model::Profile& part) {
    const auto modules = static_cast<uint32_t>(into_.modules.size());
    into_.modules.insert(into_.modules.end(), part.modules.begin(), part.modules.end());
    for (model::Frame frame : part.frames) {
      if (frame.module != 0) frame.module += modules;
      into_.frames.push_back(std::move(frame));
    }
  }

  uint32_t thread(const model::Thread& one) {
    const auto [known, is_new] = threads_.try_emplace(aggregate::thread_name(one),
                                                      static_cast<uint32_t>(into_.threads.size()));
    if (is_new) {
      into_.threads.push_back(one);
      into_.threads.back().process = 0;
      into_.threads.back().cpu_ns = 0;
    }
    return known->second;
  }

  model::Profile& into_;
  std::unordered_map<std::string, uint32_t> threads_;  // by name
};

std::string write_page(const model::Profile& profile, const model::Profile& shown,
                       const PageBaseline& before, const PageOptions& options) {
  aggregate::TreeOptions tree_options;
  tree_options.text = options.text;
  tree_options.by = options.by == GroupBy::kThread ? GroupBy::kNone : options.by;
  tree_options.max_nodes = options.max_nodes;
  const CallTree tree(profile, tree_options);
  const std::string json = PageWriter(profile, shown, options, before, tree)
                               .run()
                               .dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string out;
  std::string_view page = kPage;
  fill_in(out, page, "{{title}}", xml_escape("CPU: " + aggregate::subject_text(shown)));
  fill_in(out, page, "{{profile}}", escape_json(json));
  return out.append(page);
}

}  // namespace

std::string to_page(const model::Profile& profile, const PageOptions& options) {
  return write_page(profile, profile, {}, options);
}

std::string to_diff_page(const model::Profile& profile, const PageBaseline& before,
                         const PageOptions& options) {
  model::Profile both = profile;
  Appender(both).add(*before.profile);
  return write_page(both, profile, before, options);
}

}  // namespace pyprof::exporter
