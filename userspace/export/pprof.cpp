// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/pprof.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <map>
#include <protozero/pbf_writer.hpp>
#include <span>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/labels.h"
#include "userspace/aggregate/summary.h"

namespace pyprof::exporter {
namespace {

using aggregate::clean_text;
using model::FrameKind;
using protozero::pbf_writer;

constexpr const char* kKernelMapping = "[kernel.kallsyms]";

// Field numbers of perftools.profiles in profile.proto.
namespace profile_field {
enum : uint32_t {
  kSampleType = 1,
  kSample = 2,
  kMapping = 3,
  kLocation = 4,
  kFunction = 5,
  kStringTable = 6,
  kTimeNanos = 9,
  kDurationNanos = 10,
  kPeriodType = 11,
  kPeriod = 12,
  kComment = 13,
  kDefaultSampleType = 14,
};
}
namespace value_type_field {
enum : uint32_t { kType = 1, kUnit = 2 };
}
namespace sample_field {
enum : uint32_t { kLocationId = 1, kValue = 2, kLabel = 3 };
}
namespace label_field {
enum : uint32_t { kKey = 1, kStr = 2, kNum = 3 };
}
namespace mapping_field {
enum : uint32_t {
  kId = 1,
  kMemoryLimit = 3,
  kFilename = 5,
  kBuildId = 6,
  kHasFunctions = 7,
  kHasFilenames = 8,
  kHasLineNumbers = 9,
};
}
namespace location_field {
enum : uint32_t { kId = 1, kMappingId = 2, kAddress = 3, kLine = 4 };
}
namespace line_field {
enum : uint32_t { kFunctionId = 1, kLine = 2 };
}
namespace function_field {
enum : uint32_t { kId = 1, kName = 2, kFilename = 4, kStartLine = 5 };
}

class Encoder {
 public:
  explicit Encoder(const model::Profile& profile) : profile_(profile), out_(bytes_) {}

  std::string run() && {
    (void)string("");
    write_header();
    add_main_mapping();
    for (const model::Sample& sample : profile_.samples)
      write_sample(sample);
    write_mappings();
    for (const std::string& text : strings_)
      out_.add_string(profile_field::kStringTable, text);
    return std::move(bytes_);
  }

 private:
  struct Mapping {
    std::string path;
    std::string build_id;
    uint64_t limit = 0;  // one past the highest address seen
  };

  int64_t string(const std::string& text) {
    const auto [it, is_new] = string_indexes_.try_emplace(text, strings_.size());
    if (is_new) strings_.push_back(text);
    return static_cast<int64_t>(it->second);
  }

  void write_value_type(uint32_t field, const char* type, const char* unit) {
    pbf_writer value(out_, field);
    value.add_int64(value_type_field::kType, string(type));
    value.add_int64(value_type_field::kUnit, string(unit));
  }

  void write_header() {
    write_value_type(profile_field::kSampleType, "samples", "count");
    write_value_type(profile_field::kSampleType, "cpu", "nanoseconds");
    write_value_type(profile_field::kPeriodType, "cpu", "nanoseconds");
    out_.add_int64(profile_field::kTimeNanos, profile_.start_unix_ns);
    out_.add_int64(profile_field::kDurationNanos, static_cast<int64_t>(profile_.duration_ns));
    out_.add_int64(profile_field::kPeriod, static_cast<int64_t>(profile_.period_ns));
    out_.add_int64(profile_field::kDefaultSampleType, string("cpu"));
    const std::string tool = fmt::format("pyebpf-prof {}: {}", clean_text(profile_.tool_version),
                                         aggregate::quality_text(profile_));
    const int64_t comments[] = {string(tool)};
    out_.add_packed_int64(profile_field::kComment, std::begin(comments), std::end(comments));
  }

  // pprof takes the first mapping for the program.
  void add_main_mapping() {
    if (profile_.processes.size() != 1 || profile_.processes[0].exe.empty()) return;
    const std::string& exe = profile_.processes[0].exe;
    for (const model::Module& module : profile_.modules) {
      if (module.path != exe) continue;
      (void)mapping(module.path, module.build_id);
      return;
    }
    (void)mapping(exe, "");
  }

  uint64_t mapping(const std::string& path, const std::string& build_id) {
    const auto [it, is_new] = mapping_ids_.try_emplace({path, build_id}, mappings_.size() + 1);
    if (is_new) mappings_.push_back({clean_text(path), clean_text(build_id)});
    return it->second;
  }

  uint64_t frame_mapping(const model::Frame& frame) {
    if (frame.kind == FrameKind::kKernel) return mapping(kKernelMapping, "");
    if (frame.kind != FrameKind::kNative && frame.kind != FrameKind::kInterpreter) return 0;
    if (frame.module == 0 || frame.module > profile_.modules.size()) return 0;
    const model::Module& module = profile_.modules[frame.module - 1];
    return mapping(module.path, module.build_id);
  }

  // Without a system name: where it equals the name, pprof takes "<module>" for C++ and "demangles"
  // it to "<unknown>".
  uint64_t function(const model::Frame& frame) {
    std::string name = aggregate::function_text(frame);
    if (frame.function.empty() && frame.kind != FrameKind::kPython) {
      name = aggregate::frame_text(profile_, frame);
    }
    const std::string file = clean_text(function_file(frame), 4096);
    auto key = std::tuple(name, file, frame.first_line);
    const auto [it, is_new] = function_ids_.try_emplace(std::move(key), function_ids_.size() + 1);
    if (is_new) {
      pbf_writer message(out_, profile_field::kFunction);
      message.add_uint64(function_field::kId, it->second);
      message.add_int64(function_field::kName, string(name));
      message.add_int64(function_field::kFilename, string(file));
      message.add_int64(function_field::kStartLine, frame.first_line);
    }
    return it->second;
  }

  std::string_view function_file(const model::Frame& frame) const {
    if (frame.kind == FrameKind::kKernel) return kKernelMapping;
    const bool native = frame.kind == FrameKind::kNative || frame.kind == FrameKind::kInterpreter;
    const bool in_module = native && frame.module > 0 && frame.module <= profile_.modules.size();
    if (!in_module || !frame.file.empty()) return frame.file;
    return profile_.modules[frame.module - 1].path;
  }

  // Inlined functions and the one that holds their code are lines of one location.
  uint64_t location(std::span<const uint32_t> frames) {
    const auto [it, is_new] =
        location_ids_.try_emplace({frames.begin(), frames.end()}, location_ids_.size() + 1);
    if (!is_new) return it->second;
    const model::Frame& holder = profile_.frames[frames.back()];
    std::vector<uint64_t> functions;
    for (const uint32_t frame : frames)
      functions.push_back(function(profile_.frames[frame]));
    const uint64_t mapping_id = frame_mapping(holder);
    pbf_writer message(out_, profile_field::kLocation);
    message.add_uint64(location_field::kId, it->second);
    if (mapping_id > 0) {
      Mapping& owner = mappings_[mapping_id - 1];
      owner.limit = std::max(owner.limit, holder.address + 1);
      message.add_uint64(location_field::kMappingId, mapping_id);
      message.add_uint64(location_field::kAddress, holder.address);
    }
    for (std::size_t i = 0; i < frames.size(); ++i) {
      pbf_writer line(message, location_field::kLine);
      line.add_uint64(line_field::kFunctionId, functions[i]);
      line.add_int64(line_field::kLine, profile_.frames[frames[i]].line);
    }
    return it->second;
  }

  // Python frames may lie between an inlined function and the one it is in.
  [[nodiscard]] bool is_inlined_into(uint32_t inner, uint32_t outer) const {
    return profile_.frames[inner].inlined &&
           profile_.frames[outer].kind != model::FrameKind::kPython;
  }

  std::vector<uint64_t> locations(const std::vector<uint32_t>& frames) {
    std::vector<uint64_t> ids;
    for (std::size_t begin = 0; begin < frames.size();) {
      std::size_t end = begin + 1;
      while (end < frames.size() && is_inlined_into(frames[end - 1], frames[end]))
        ++end;
      ids.push_back(location(std::span(frames).subspan(begin, end - begin)));
      begin = end;
    }
    return ids;
  }

  void write_sample(const model::Sample& sample) {
    const std::vector<uint64_t> ids = locations(profile_.stacks[sample.stack].frames);
    const int64_t values[] = {static_cast<int64_t>(sample.count),
                              static_cast<int64_t>(sample.weight_ns)};
    pbf_writer message(out_, profile_field::kSample);
    message.add_packed_uint64(sample_field::kLocationId, ids.begin(), ids.end());
    message.add_packed_int64(sample_field::kValue, std::begin(values), std::end(values));
    write_labels(message, profile_.threads[sample.thread]);
    write_state(message, aggregate::labels_of(profile_, sample));
  }

  void write_state(pbf_writer& sample, const model::Labels& labels) {
    const char* gil = aggregate::gil_text(labels.gil);
    const char* gc = aggregate::gc_text(labels.gc);
    write_text_label(sample, "gil", gil != nullptr ? gil : "");
    write_text_label(sample, "gc", gc != nullptr ? gc : "");
    const char* import = aggregate::import_text(labels.import);
    write_text_label(sample, "import", import != nullptr ? import : "");
    if (labels.interpreter >= 0) write_number_label(sample, "interpreter", labels.interpreter);
    write_text_label(sample, "task", aggregate::task_text(labels));
  }

  void write_labels(pbf_writer& sample, const model::Thread& thread) {
    const model::ProcessInfo& process = profile_.processes[thread.process];
    write_number_label(sample, "pid", process.pid);
    write_number_label(sample, "tid", thread.tid);
    write_text_label(sample, "thread", aggregate::thread_name(thread));
    write_text_label(sample, "comm", clean_text(process.comm, 128));
    write_text_label(sample, "container", clean_text(process.container.id, 128));
  }

  void write_number_label(pbf_writer& sample, const char* key, int64_t value) {
    pbf_writer label(sample, sample_field::kLabel);
    label.add_int64(label_field::kKey, string(key));
    label.add_int64(label_field::kNum, value);
  }

  void write_text_label(pbf_writer& sample, const char* key, const std::string& value) {
    if (value.empty()) return;
    pbf_writer label(sample, sample_field::kLabel);
    label.add_int64(label_field::kKey, string(key));
    label.add_int64(label_field::kStr, string(value));
  }

  void write_mappings() {
    for (std::size_t i = 0; i < mappings_.size(); ++i) {
      pbf_writer message(out_, profile_field::kMapping);
      message.add_uint64(mapping_field::kId, i + 1);
      message.add_uint64(mapping_field::kMemoryLimit, mappings_[i].limit);
      message.add_int64(mapping_field::kFilename, string(mappings_[i].path));
      message.add_int64(mapping_field::kBuildId, string(mappings_[i].build_id));
      message.add_bool(mapping_field::kHasFunctions, true);
      message.add_bool(mapping_field::kHasFilenames, true);
      message.add_bool(mapping_field::kHasLineNumbers, true);
    }
  }

  const model::Profile& profile_;
  std::string bytes_;
  pbf_writer out_;
  std::vector<std::string> strings_;
  std::unordered_map<std::string, std::size_t> string_indexes_;
  std::vector<Mapping> mappings_;
  std::map<std::pair<std::string, std::string>, uint64_t> mapping_ids_;
  std::map<std::tuple<std::string, std::string, uint32_t>, uint64_t> function_ids_;
  std::map<std::vector<uint32_t>, uint64_t> location_ids_;
};

Result<std::string> gzip(const std::string& raw) {
  constexpr int kGzipWindowBits = 15 + 16;
  z_stream stream = {};
  const Error failed{"compressing the profile failed: out of memory"};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindowBits, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return failed;
  }
  std::string out(deflateBound(&stream, raw.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(raw.data()));
  stream.avail_in = static_cast<uInt>(raw.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int ended = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (ended != Z_STREAM_END) return failed;
  return out;
}

}  // namespace

Result<std::string> to_pprof(const model::Profile& profile) {
  const std::string raw = Encoder(profile).run();
  if (raw.size() > UINT32_MAX / 2) {
    return Error{"the profile is too large for pprof (2 GiB): take a shorter one"};
  }
  return gzip(raw);
}

}  // namespace pyprof::exporter
