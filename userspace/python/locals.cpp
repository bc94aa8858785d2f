// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/locals.h"

#include <algorithm>

namespace pyprof::python {
namespace {

constexpr uint8_t kHidden = 0x10;  // 3.12 on: of a comprehension that was put into the function

struct Names {
  std::vector<std::string> names;
  std::string kinds;  // 3.11 on: one byte each
};

// co_localsplusnames and co_localspluskinds are in front of co_filename.
Names names_of(const Memory& memory, const wire_python_config& config, const ValueReader& values,
               uint64_t code) {
  uint64_t tuples[2] = {};
  Names found;
  if (!memory.read_value(code + config.code_filename - 16, tuples)) return found;
  for (const uint64_t name : values.tuple_items(tuples[0], kMaxLocals))
    found.names.push_back(values.name(name));
  found.kinds = values.raw_bytes(tuples[1], kMaxLocals);
  found.kinds.resize(found.names.size());
  return found;
}

// Up to 3.10: co_varnames, co_freevars and co_cellvars; in a frame the cells come first.
Names old_names_of(const Memory& memory, const wire_python_config& config,
                   const ValueReader& values, uint64_t code) {
  uint64_t tuples[3] = {};
  Names found;
  if (!memory.read_value(code + config.code_varnames, tuples)) return found;
  for (const std::size_t which : {0, 2, 1}) {
    for (const uint64_t name : values.tuple_items(tuples[which], kMaxLocals))
      if (found.names.size() < kMaxLocals) found.names.push_back(values.name(name));
  }
  found.kinds.resize(found.names.size());
  return found;
}

}  // namespace

std::vector<Local> read_locals(const Memory& memory, const wire_python_config& config,
                               const RuntimeOffsets& offsets, const ValueLimits& limits,
                               uint64_t frame, uint64_t code) {
  const ValueReader values(memory, config, offsets, limits);
  const bool old = config.version < 0x30b;
  const Names names =
      old ? old_names_of(memory, config, values, code) : names_of(memory, config, values, code);
  std::vector<uint64_t> slots(names.names.size());
  const uint64_t first = frame + (old ? config.frame_locals : offsets.frame_localsplus);
  if (slots.empty() || !memory.read(first, slots.data(), 8 * slots.size())) return {};
  std::vector<Local> locals;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    // From 3.14 on the low bits say how the reference is counted.
    uint64_t object = slots[i] & ~uint64_t{config.code_tag_mask};
    if (object == 0 || (static_cast<uint8_t>(names.kinds[i]) & kHidden) != 0) continue;
    object = values.content(object);
    if (object == 0) continue;
    const bool secret = limits.redact && is_secret_name(names.names[i]);
    locals.push_back({names.names[i], secret ? "<redacted>" : values.text(object)});
  }
  return locals;
}

}  // namespace pyprof::python
