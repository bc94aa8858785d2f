// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/findings.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/labels.h"
#include "userspace/aggregate/package.h"

namespace pyprof::report {
namespace {

using model::Frame;
using model::FrameKind;

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool ends_with_one_of(std::string_view text, std::initializer_list<std::string_view> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](auto end) { return text.ends_with(end); });
}

// "Pool.connect" -> "connect"
std::string_view last_part(std::string_view qualname) {
  return qualname.substr(qualname.rfind('.') + 1);
}

bool is_python(const Frame& frame) {
  return frame.kind == FrameKind::kPython;
}

bool is_native(const Frame& frame) {
  return frame.kind == FrameKind::kNative || frame.kind == FrameKind::kInterpreter;
}

bool connects(const Frame& frame) {
  if (frame.kind == FrameKind::kKernel) {
    return is_one_of(frame.function, {"__sys_connect", "__x64_sys_connect", "__arm64_sys_connect"});
  }
  return is_python(frame) &&
         is_one_of(last_part(frame.function),
                   {"connect", "_connect", "create_connection", "do_handshake", "_force_close",
                    "getaddrinfo", "_new_conn", "open_connection"});
}

bool serializes(const Frame& frame) {
  if (is_native(frame)) {
    return ends_with_one_of(frame.function, {"_pickle_dump", "_pickle_dumps", "_pickle_loads"}) ||
           frame.function.starts_with("_json_") || frame.function.starts_with("encoder_") ||
           frame.function.starts_with("scanner_");
  }
  return is_python(frame) &&
         (ends_with_one_of(frame.file, {"/json/__init__.py", "/json/encoder.py", "/json/decoder.py",
                                        "/json/scanner.py", "/pickle.py", "/copy.py",
                                        "/plistlib.py", "/xml/etree/ElementTree.py", "/csv.py"}) ||
          frame.file.find("/site-packages/yaml/") != std::string::npos ||
          frame.file.find("/site-packages/simplejson/") != std::string::npos);
}

bool compiles_regex(const Frame& frame) {
  if (!is_python(frame)) return false;
  return ends_with_one_of(
      frame.file, {"/sre_compile.py", "/sre_parse.py", "/re/_compiler.py", "/re/_parser.py"});
}

bool logs(const Frame& frame) {
  return is_python(frame) &&
         ends_with_one_of(frame.file, {"/logging/__init__.py", "/logging/handlers.py"});
}

bool imports(const Frame& frame) {
  return is_python(frame) && (frame.file.starts_with("<frozen importlib") ||
                              frame.file.ends_with("/importlib/__init__.py"));
}

bool collects(const Frame& frame) {
  return is_native(frame) &&
         is_one_of(frame.function, {"gc_collect_main", "gc_collect_generations", "collect",
                                    "gc_collect_young", "gc_collect_full", "gc_collect_increment",
                                    "gc_collect_internal", "_PyGC_Collect", "PyGC_Collect"});
}

// Where names of the interpreter are stripped the C library's are left: nothing else in it waits
// so.
bool takes_gil(const Frame& frame) {
  return is_native(frame) &&
         is_one_of(frame.function, {"take_gil", "drop_gil", "pthread_cond_timedwait"});
}

bool raises(const Frame& frame) {
  return is_native(frame) &&
         is_one_of(frame.function,
                   {"_PyErr_SetObject", "PyErr_SetObject", "_PyErr_CreateException",
                    "PyTraceBack_Here", "_PyErr_NormalizeException", "PyErr_NormalizeException",
                    "BaseException_new", "_PyErr_Format", "PyErr_Format", "PyErr_SetString"});
}

bool moves_bytes(const Frame& frame) {
  return frame.kind == FrameKind::kKernel &&
         is_one_of(frame.function, {"ksys_write", "ksys_read", "__sys_sendto", "__sys_recvfrom",
                                    "ksys_pwrite64", "ksys_pread64", "do_writev", "do_readv"});
}

struct Rule {
  const char* key;
  double least;  // percent
  bool (*matches)(const Frame&);
  const char* what;
};

constexpr std::array<Rule, 8> kRules{{
    {"connections", 5, connects,
     "connections are made again and again: keep them open, or use a pool"},
    {"serialization", 15, serializes,
     "objects are turned into text or bytes and back: do it less often, or with less of them"},
    {"regex_compilation", 5, compiles_regex,
     "regular expressions are compiled while the program runs: compile them once, outside"},
    {"logging", 10, logs, "log records are made: lower the level, or log less in hot code"},
    {"run_time_imports", 5, imports,
     "modules are imported while the program runs: move the import to the top"},
    {"garbage_collection", 10, collects,
     "the cyclic garbage collector runs: make fewer objects in cycles, gc.freeze() what stays, or "
     "raise gc.set_threshold()"},
    {"exceptions", 8, raises, "exceptions are raised in hot code: test for the common case first"},
    {"small_io", 25, moves_bytes,
     "the kernel moves data in many small pieces: buffer reads and writes"},
}};

constexpr double kDominating = 50;  // percent that one function runs itself
constexpr double kGilContention = 5;
constexpr double kDeepRecursion = 20;       // percent in stacks with ...
constexpr uint64_t kDeepActivations = 100;  // so many activations of one function

class Finder {
 public:
  Finder(const model::Profile& profile, const aggregate::Summary& summary, bool full_paths)
      : profile_(profile), summary_(summary), full_paths_(full_paths) {
    for (const model::Sample& sample : profile.samples)
      whole_ += aggregate::sample_value(sample, summary);
  }

  std::vector<Finding> run() && {
    for (const Rule& rule : kRules) {
      add(rule.key, rule.what, rule.least, [&](const model::Sample& sample) {
        const auto& frames = profile_.stacks[sample.stack].frames;
        return std::any_of(frames.begin(), frames.end(),
                           [&](uint32_t frame) { return rule.matches(profile_.frames[frame]); }) ||
               (rule.matches == collects &&
                aggregate::labels_of(profile_, sample).gc == model::Gc::kRunning);
      });
    }
    add("gil_contention",
        "threads fight for the GIL: use processes, or do the work in fewer threads", kGilContention,
        [this](const model::Sample& sample) { return fights_for_gil(sample); });
    add("deep_recursion", "functions call themselves many times over: use a loop, or keep results",
        kDeepRecursion, [this](const model::Sample& sample) { return is_deep(sample); });
    add_dominating();
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Finding& a, const Finding& b) { return a.percent > b.percent; });
    return std::move(found_);
  }

 private:
  using Matches = std::function<bool(const model::Sample&)>;

  void add(const char* key, const char* what, double least, const Matches& matches) {
    uint64_t value = 0;
    std::map<uint32_t, uint64_t> callers;
    for (const model::Sample& sample : profile_.samples) {
      if (!matches(sample)) continue;
      const uint64_t one = aggregate::sample_value(sample, summary_);
      value += one;
      if (const auto frame = own_frame(sample)) callers[*frame] += one;
    }
    const double percent = aggregate::percent(value, whole_);
    if (percent < least) return;
    put(key, what, percent, callers);
  }

  // The function that runs most itself, C code that it calls included.
  void add_dominating() {
    std::map<std::pair<std::string, std::string>, std::pair<uint64_t, uint32_t>> functions;
    for (const model::Sample& sample : profile_.samples) {
      const auto& frames = profile_.stacks[sample.stack].frames;
      const auto inner = std::find_if(frames.begin(), frames.end(), [this](uint32_t frame) {
        return is_python(profile_.frames[frame]);
      });
      if (inner == frames.end()) continue;
      const Frame& frame = profile_.frames[*inner];
      auto& entry = functions[{frame.function, frame.file}];
      entry.first += aggregate::sample_value(sample, summary_);
      entry.second = *inner;
    }
    for (const auto& [name, entry] : functions) {
      const double percent = aggregate::percent(entry.first, whole_);
      if (percent < kDominating) continue;
      put("dominating_function", "one function uses this much by itself: start here", percent,
          {{entry.second, entry.first}});
    }
  }

  void put(const char* key, const char* what, double percent,
           const std::map<uint32_t, uint64_t>& callers) {
    Finding finding{key, severity(percent), percent, what, "", "", ""};
    const auto top = std::max_element(callers.begin(), callers.end(),
                                      [](auto& a, auto& b) { return a.second < b.second; });
    if (top != callers.end()) {
      const Frame& frame = profile_.frames[top->first];
      finding.where =
          aggregate::frame_text(profile_, frame, {aggregate::LineMode::kCurrent, full_paths_});
      finding.function = aggregate::function_text(frame);
      finding.place = aggregate::place_text(profile_, frame, frame.first_line, full_paths_);
    }
    found_.push_back(std::move(finding));
  }

  static const char* severity(double percent) {
    if (percent >= 25) return "high";
    return percent >= 10 ? "medium" : "low";
  }

  // The innermost frame of the application's own code, else of any Python code.
  [[nodiscard]] std::optional<uint32_t> own_frame(const model::Sample& sample) const {
    std::optional<uint32_t> python;
    for (const uint32_t frame : profile_.stacks[sample.stack].frames) {
      if (!is_python(profile_.frames[frame])) continue;
      if (aggregate::package_text(profile_, profile_.frames[frame]) == "app") return frame;
      if (!python) python = frame;
    }
    return python;
  }

  [[nodiscard]] bool fights_for_gil(const model::Sample& sample) const {
    const auto gil = aggregate::labels_of(profile_, sample).gil;
    if (gil == model::Gil::kWanted) return true;
    if (gil != model::Gil::kReleased) return false;
    const auto& frames = profile_.stacks[sample.stack].frames;
    return std::any_of(frames.begin(), frames.end(),
                       [this](uint32_t frame) { return takes_gil(profile_.frames[frame]); });
  }

  [[nodiscard]] bool is_deep(const model::Sample& sample) const {
    std::unordered_map<std::string_view, uint64_t> activations;
    for (const uint32_t number : profile_.stacks[sample.stack].frames) {
      const Frame& frame = profile_.frames[number];
      if (is_python(frame) && ++activations[frame.function] >= kDeepActivations) return true;
    }
    return false;
  }

  const model::Profile& profile_;
  const aggregate::Summary& summary_;
  const bool full_paths_;
  uint64_t whole_ = 0;
  std::vector<Finding> found_;
};

}  // namespace

std::vector<Finding> find_problems(const model::Profile& profile, const aggregate::Summary& summary,
                                   bool full_paths) {
  return Finder(profile, summary, full_paths).run();
}

}  // namespace pyprof::report
