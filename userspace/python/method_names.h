// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "userspace/model/sample.h"
#include "userspace/python/memory.h"
#include "userspace/python/objects.h"

namespace pyprof::python {

// CPython up to 3.10: the name that a code object has in the class that defines it, as __qualname__
// says. The class is looked for among the bases of the first argument's type, in the living
// process. One finder serves the code objects of one process that are asked for together: each
// class is read once. Not thread-safe; keep it for a moment only, the process goes on running.
class MethodFinder {
 public:
  // The arguments outlive the finder.
  MethodFinder(const Memory& memory, const wire_python_config& config,
               const RuntimeOffsets& offsets);

  // "Class.method"; the plain co_name if no class has it (a function that happens to call its
  // argument self, a decorator's wrapper). Empty if the process no longer holds what was captured,
  // or can't be read. Reads a bounded number of bytes.
  [[nodiscard]] std::optional<std::string> find(const model::CodeObject& code);

 private:
  enum class Kind : uint8_t { kOther, kFunction, kWrapper, kProperty };
  using Functions = std::unordered_map<uint64_t, uint64_t>;  // code object -> function

  Kind kind_of(uint64_t object);
  std::string type_name(uint64_t type) const;
  std::vector<uint64_t> tuple_items(uint64_t tuple) const;
  std::vector<uint64_t> classes_of(const model::CodeObject& code) const;
  void append_mro(uint64_t type, std::vector<uint64_t>& classes) const;
  void append_old_style(uint64_t type, std::vector<uint64_t>& classes) const;
  bool is_old_style(uint64_t type) const;
  const Functions& functions_of(uint64_t type);
  void add(uint64_t object, int depth, Functions& functions);
  void add_function(uint64_t function, int depth, Functions& functions);
  std::optional<std::string> class_name(uint64_t type) const;
  std::optional<std::string> name_of(uint64_t type, uint64_t function, const std::string& plain);

  const BoundedMemory memory_;
  const wire_python_config& config_;
  const RuntimeOffsets& offsets_;
  const ObjectReader objects_;
  std::unordered_map<uint64_t, Kind> kinds_;         // by type
  std::unordered_map<uint64_t, Functions> classes_;  // by class
};

}  // namespace pyprof::python
