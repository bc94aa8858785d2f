// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// profile.proto of google/pprof as values: nothing is resolved or checked but its syntax.
namespace pyprof::importer {

struct PprofValueType {
  int64_t type = 0;  // indexes into strings
  int64_t unit = 0;
};

struct PprofMapping {
  int64_t filename = 0;
  int64_t build_id = 0;
};

struct PprofFunction {
  int64_t name = 0;
  int64_t filename = 0;
  int64_t start_line = 0;
};

struct PprofLine {
  uint64_t function = 0;
  int64_t line = 0;
};

struct PprofLocation {
  uint64_t mapping = 0;
  uint64_t address = 0;
  std::vector<PprofLine> lines;
};

struct PprofLabel {
  int64_t key = 0;
  int64_t text = 0;
  int64_t number = 0;
};

struct PprofSample {
  std::vector<uint64_t> locations;
  std::vector<int64_t> values;
  std::vector<PprofLabel> labels;
};

struct PprofMessage {
  std::vector<PprofValueType> sample_types;
  std::vector<PprofSample> samples;
  std::unordered_map<uint64_t, PprofMapping> mappings;
  std::unordered_map<uint64_t, PprofLocation> locations;
  std::unordered_map<uint64_t, PprofFunction> functions;
  std::vector<std::string_view> strings;  // into the bytes that were read
  PprofValueType period_type;
  int64_t period = 0;
  int64_t time_ns = 0;
  int64_t duration_ns = 0;
  std::vector<int64_t> comments;  // indexes into strings
};

// Throws protozero::exception if the bytes are no such message.
[[nodiscard]] PprofMessage read_pprof_message(std::string_view bytes);

}  // namespace pyprof::importer
