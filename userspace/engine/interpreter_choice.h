// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/python/interpreter.h"

// Which interpreter a process runs if files of more than one are mapped: an executable with CPython
// in it that loads a libpython, too, or a program that embeds two versions.
namespace pyprof::engine {

struct InterpreterCandidate {
  const python::InterpreterFile* file = nullptr;  // never nullptr in a list
  uint64_t bias = 0;  // address in the process minus virtual address in the file
};

struct InterpreterChoice {
  static constexpr std::size_t kMaxCandidates = 8;  // of which the memory is looked at

  std::size_t index = 0;    // in the list
  std::size_t running = 0;  // how many are initialised; 0 also if their memory can't be read
  bool operator==(const InterpreterChoice&) const = default;
};

// `candidates` is not empty, by ascending address. Those with a head of interpreters in _PyRuntime
// come first, then those that are supported, then those at lower addresses: an executable lies
// below its libraries. Reads the process's memory if there is a choice, for 0.1 s at most.
[[nodiscard]] InterpreterChoice choose_interpreter(
    int32_t pid, const std::vector<InterpreterCandidate>& candidates);

// What users are told of a process in which more than one runs; empty if not.
[[nodiscard]] std::string others_text(const InterpreterChoice& choice);

}  // namespace pyprof::engine
