// SPDX-License-Identifier: Apache-2.0
#include "userspace/import/pprof.h"

#include <algorithm>
#include <optional>
#include <protozero/exception.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "userspace/aggregate/labels.h"
#include "userspace/import/frame_spelling.h"
#include "userspace/import/pprof_message.h"

namespace pyprof::importer {
namespace {

using model::FrameKind;

constexpr std::string_view kKernelMapping = "[kernel";  // .kallsyms], ...

// The value of a label that has this text; `none` if none has.
template <typename Value>
Value named(std::string_view text, const char* (*text_of)(Value), Value none) {
  for (int i = 0; i < 8; ++i) {
    const char* known = text_of(static_cast<Value>(i));
    if (known != nullptr && text == known) return static_cast<Value>(i);
  }
  return none;
}

class Converter {
 public:
  explicit Converter(const PprofMessage& from) : from_(from) {
    ours_ = std::any_of(from.comments.begin(), from.comments.end(), [this](int64_t comment) {
      return text(comment).starts_with("pyebpf-prof ");
    });
  }

  Result<model::Profile> run() && {
    if (const auto done = choose_values(); !done) return done.error();
    model::Profile& head = maker_.head();
    head.start_unix_ns = from_.time_ns;
    head.duration_ns = static_cast<uint64_t>(std::max<int64_t>(0, from_.duration_ns));
    head.period_ns = period_ns_;
    if (period_ns_ > 0)
      head.rate_hz = static_cast<uint32_t>((1'000'000'000 + period_ns_ / 2) / period_ns_);
    for (const PprofSample& sample : from_.samples)
      add(sample);
    return std::move(maker_).finish();
  }

 private:
  [[nodiscard]] std::string_view text(int64_t index) const {
    if (index <= 0 || static_cast<std::size_t>(index) >= from_.strings.size()) return {};
    return from_.strings[static_cast<std::size_t>(index)];
  }

  Result<void> choose_values() {
    for (std::size_t i = 0; i < from_.sample_types.size(); ++i) {
      const auto& value = from_.sample_types[i];
      const bool is_cpu = text(value.type) == "cpu";
      if (text(value.unit) == "nanoseconds" && (!time_ || is_cpu)) time_ = i;
      if (text(value.unit) == "count" && (!count_ || text(value.type) == "samples")) count_ = i;
    }
    if (text(from_.period_type.unit) == "nanoseconds" && from_.period > 0) {
      period_ns_ = static_cast<uint64_t>(from_.period);
    }
    if (time_ || (count_ && period_ns_ > 0)) return {};
    return Error{"is no CPU profile: it has neither nanoseconds nor counts with a period"};
  }

  [[nodiscard]] static uint64_t value(const PprofSample& sample, std::optional<std::size_t> index) {
    if (!index || *index >= sample.values.size()) return 0;
    return static_cast<uint64_t>(std::max<int64_t>(0, sample.values[*index]));
  }

  void add(const PprofSample& sample) {
    uint64_t count = value(sample, count_), weight_ns = value(sample, time_);
    if (!time_) weight_ns = count * period_ns_;
    if (!count_) count = period_ns_ > 0 ? (weight_ns + period_ns_ / 2) / period_ns_ : 1;
    if (weight_ns == 0 && count == 0) return;
    std::vector<uint32_t> frames;
    for (const uint64_t id : sample.locations) {
      const auto& of_location = location(id);
      frames.insert(frames.end(), of_location.begin(), of_location.end());
    }
    ThreadName owner;
    model::Labels labels;
    for (const PprofLabel& label : sample.labels)
      take(label, owner, labels);
    if (owner.python_name == owner.comm) owner.python_name.clear();
    maker_.add(maker_.thread(owner), frames, std::max<uint64_t>(1, count), weight_ns, labels);
  }

  void take(const PprofLabel& label, ThreadName& owner, model::Labels& labels) const {
    const std::string_view key = text(label.key);
    if (key == "pid") owner.pid = static_cast<int32_t>(label.number);
    if (key == "tid") owner.tid = static_cast<int32_t>(label.number);
    if (key == "comm") owner.comm = text(label.text);
    if (key == "thread") owner.python_name = text(label.text);
    if (key == "container") owner.container = text(label.text);
    if (key == "interpreter") labels.interpreter = static_cast<int32_t>(label.number);
    if (key == "gil") labels.gil = named(text(label.text), aggregate::gil_text, labels.gil);
    if (key == "gc") labels.gc = named(text(label.text), aggregate::gc_text, labels.gc);
    if (key == "import") {
      labels.import = named(text(label.text), aggregate::import_text, labels.import);
    }
    if (key != "task") return;
    labels.has_task = true;
    if (text(label.text) != "[unnamed]") labels.task = text(label.text);
  }

  const std::vector<uint32_t>& location(uint64_t id) {
    const auto [at, is_new] = locations_.try_emplace(id);
    if (!is_new) return at->second;
    const auto found = from_.locations.find(id);
    if (found == from_.locations.end()) return at->second;
    const PprofLocation& location = found->second;
    if (location.lines.empty()) at->second.push_back(maker_.frame(frame(location, {})));
    for (std::size_t i = 0; i < location.lines.size(); ++i) {
      model::Frame one = frame(location, location.lines[i]);
      one.inlined = i + 1 < location.lines.size();
      at->second.push_back(maker_.frame(std::move(one)));
    }
    return at->second;
  }

  model::Frame frame(const PprofLocation& location, const PprofLine& line) {
    PprofFunction function;
    if (const auto at = from_.functions.find(line.function); at != from_.functions.end()) {
      function = at->second;
    }
    std::string_view module, build_id;
    if (const auto at = from_.mappings.find(location.mapping); at != from_.mappings.end()) {
      module = text(at->second.filename);
      build_id = text(at->second.build_id);
    }
    model::Frame frame;
    frame.function = text(function.name);
    frame.file = text(function.filename);
    frame.line = static_cast<uint32_t>(std::max<int64_t>(0, line.line));
    frame.first_line = static_cast<uint32_t>(std::max<int64_t>(0, function.start_line));
    frame.address = location.address;
    place(module, build_id, frame);
    return frame;
  }

  // Python code has no mapping; a module stands for the source file that nobody knows, and an
  // address for the name.
  void place(std::string_view module, std::string_view build_id, model::Frame& frame) {
    if (module.starts_with(kKernelMapping)) {
      frame.kind = FrameKind::kKernel;
      frame.file.clear();
    } else if (!module.empty()) {
      frame.module = maker_.module(std::string(module), std::string(build_id));
      if (frame.file == module) frame.file.clear();
      if (frame.function.starts_with("0x") && frame.function.ends_with(']')) frame.function.clear();
    } else if (frame.file.empty() && (ours_ || frame.function.starts_with('['))) {
      frame.kind = FrameKind::kMarker;
    } else if (ours_ || is_python_file(frame.file)) {
      frame.kind = FrameKind::kPython;
    }
  }

  const PprofMessage& from_;
  bool ours_ = false;  // what has no mapping is Python code or a marker
  ProfileMaker maker_;
  std::optional<std::size_t> time_, count_;  // of a sample's values
  uint64_t period_ns_ = 0;
  std::unordered_map<uint64_t, std::vector<uint32_t>> locations_;
};

}  // namespace

Result<model::Profile> from_pprof(std::string_view bytes) {
  try {
    const PprofMessage message = read_pprof_message(bytes);
    return Converter(message).run();
  } catch (const protozero::exception&) {
    return Error{"is not a pprof profile"};
  }
}

}  // namespace pyprof::importer
