// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "userspace/model/sample.h"

// Interleaves the native and the Python half of a stack. Knows addresses only, no names.
//
// Native frame k owns the C stack [SP_k, CFA_k): SP_0 is the leaf's stack pointer, SP_k the CFA of
// the frame below. CPython 3.12+ keeps the entry frame that ends a run of Python frames, and 3.11
// the run's cframe, on the C stack of the eval activation that runs them. So the native frame whose
// range holds an entry's address is the one that executes the run, exactly, without counting
// frames. CPython up to 3.10 has an activation for each Python frame and no such marks: there they
// are paired from the innermost on.
namespace pyprof::symbolize {

struct MergedFrame {
  enum class Kind : uint8_t {
    kNative,     // index into RawStack::native
    kEval,       // the same, a frame that executes the Python frames just before it
    kPython,     // index into RawStack::python, never an entry frame
    kNativeCut,  // native frames are missing here
    kPythonCut,  // Python frames are missing here
  };
  Kind kind = Kind::kNative;
  uint32_t index = 0;
  bool operator==(const MergedFrame&) const = default;
};

// Says whether native frame `index` is an activation of the eval loop. Asked only to place a run
// whose entry frame is missing because the Python chain was cut, and of every frame of CPython up
// to 3.10.
using EvalPredicate = std::function<bool(uint32_t index)>;

// Innermost first; every native and every Python code frame of `stack` appears once. Linear in the
// number of frames, for whatever addresses a process puts there.
std::vector<MergedFrame> merge(const model::RawStack& stack, const EvalPredicate& is_eval);

}  // namespace pyprof::symbolize
