// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/interpreter_choice.h"

#include <algorithm>
#include <array>

#include "userspace/engine/deadline.h"
#include "userspace/python/memory.h"

namespace pyprof::engine {
namespace {

constexpr auto kReadLimit = std::chrono::milliseconds(100);

using Heads = std::array<uint64_t, InterpreterChoice::kMaxCandidates>;

// Where _PyRuntime's list of interpreters begins; 0 = not known, as of versions without one.
uint64_t head_address(const InterpreterCandidate& candidate) {
  const auto& file = *candidate.file;
  if (!file.supported() || file.runtime_address == 0) return 0;
  return file.runtime_address + candidate.bias + file.runtime.interpreters_head;
}

Heads read_heads(int32_t pid, const std::vector<InterpreterCandidate>& candidates) {
  Heads addresses{};
  for (std::size_t i = 0; i < std::min(candidates.size(), addresses.size()); ++i)
    addresses[i] = head_address(candidates[i]);
  const auto read = within(kReadLimit, [pid, addresses] {
    const python::ProcessMemory memory(pid);
    Heads heads{};
    for (std::size_t i = 0; i < heads.size(); ++i) {
      if (addresses[i] == 0 || !memory.read_value(addresses[i], heads[i])) heads[i] = 0;
    }
    return heads;
  });
  return read.value_or(Heads{});
}

}  // namespace

InterpreterChoice choose_interpreter(int32_t pid,
                                     const std::vector<InterpreterCandidate>& candidates) {
  InterpreterChoice choice;
  if (candidates.size() < 2) return choice;
  const Heads heads = read_heads(pid, candidates);
  const auto rank = [&](std::size_t i) {
    const bool runs = i < heads.size() && heads[i] != 0;
    return (runs ? 2 : 0) + (candidates[i].file->supported() ? 1 : 0);
  };
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (rank(i) >= 2) ++choice.running;
    if (rank(i) > rank(choice.index)) choice.index = i;
  }
  return choice;
}

std::string others_text(const InterpreterChoice& choice) {
  if (choice.running < 2) return "";
  return "one of " + std::to_string(choice.running) +
         " interpreters in the process, frames of the others are not read";
}

}  // namespace pyprof::engine
