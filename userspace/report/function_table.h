// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "userspace/aggregate/summary.h"
#include "userspace/model/profile.h"

// Self and total time of functions: the tables S and C of the text report.
namespace pyprof::report {

struct FunctionRow {
  std::string name;
  std::string place;      // file:first line, file:first line [module], [module]
  std::string hot_place;  // file:line of the line with most self time
  std::string callers;    // native and kernel rows: the Python lines they were called from
  model::FrameKind kind = model::FrameKind::kNative;
  uint64_t self_value = 0;   // aggregate::sample_value() of the samples it was on top of
  uint64_t total_value = 0;  // ... it was anywhere in, each sample once
};

class FunctionTable {
 public:
  FunctionTable(const model::Profile& profile, const aggregate::Summary& summary, bool full_paths);

  // The first `limit` rows with self (total) time, most first, ties by name and place.
  [[nodiscard]] std::vector<FunctionRow> by_self(std::size_t limit) const;
  [[nodiscard]] std::vector<FunctionRow> by_total(std::size_t limit) const;

 private:
  using Key = std::tuple<model::FrameKind, std::string, std::string>;  // kind, name, place
  struct Function {
    uint64_t self_value = 0;
    uint64_t total_value = 0;
    uint32_t frame = 0;                             // one of its frames
    std::map<uint32_t, uint64_t> self_lines;        // line -> self value
    std::map<std::string, uint64_t> caller_values;  // nearest Python caller -> self value
  };

  void number_functions();
  void add_self(const model::Sample& sample, uint64_t value);
  [[nodiscard]] FunctionRow row(const Key& key, const Function& function) const;
  [[nodiscard]] std::vector<FunctionRow> top(std::size_t limit, uint64_t Function::*value) const;

  const model::Profile& profile_;
  const bool full_paths_;
  std::map<Key, uint32_t> keys_;
  std::vector<Function> functions_;
  std::vector<uint32_t> function_of_frame_;
  std::vector<uint64_t> last_seen_;  // function -> the sample, from 1, that counted it last
};

}  // namespace pyprof::report
