// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "userspace/model/profile.h"

// A profile by function instead of by stack: who costs what on which line, and who calls whom from
// where. What a function is: its name, its source file and its module.
namespace pyprof::aggregate {

struct Cost {
  uint64_t samples = 0;
  uint64_t weight_ns = 0;
  void add(const Cost& other) {
    samples += other.samples;
    weight_ns += other.weight_ns;
  }
};

class CallGraph {
 public:
  struct Function {
    uint32_t frame = 0;  // one of its frames, an index into Profile::frames
    Cost self;
    Cost total;  // each sample once, however often the function is in its stack
  };
  struct Line {  // of a function, that ran at the end of a stack
    uint32_t function = 0;
    uint32_t line = 0;  // 0 = unknown
    auto operator<=>(const Line&) const = default;
  };
  struct Call {
    uint32_t caller = 0;
    uint32_t line = 0;  // of the caller
    uint32_t callee = 0;
    auto operator<=>(const Call&) const = default;
  };
  struct CallCost {
    Cost total;  // each sample once
    Cost self;   // of samples that end in the callee
  };

  // A profile that went through apply_view().
  explicit CallGraph(const model::Profile& profile);

  [[nodiscard]] const std::vector<Function>& functions() const { return functions_; }
  [[nodiscard]] const std::map<Line, Cost>& lines() const { return lines_; }
  [[nodiscard]] const std::map<Call, CallCost>& calls() const { return calls_; }

 private:
  void number_functions(const model::Profile& profile);
  void add(const model::Profile& profile, const std::vector<uint32_t>& frames, const Cost& cost);

  std::vector<uint32_t> function_of_;  // frame -> index into functions_
  std::vector<Function> functions_;    // in the order of their names
  std::map<Line, Cost> lines_;
  std::map<Call, CallCost> calls_;
};

}  // namespace pyprof::aggregate
