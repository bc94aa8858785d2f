// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/wire.h"
#include "userspace/python/memory.h"
#include "userspace/python/versions.h"

// Reads CPython objects (2.7 and 3.6 on) of another process. Each function reads
// a bounded number of bytes, whatever the process holds.
namespace pyprof::python {

struct RemoteText {
  std::string utf8;
  bool whole = false;  // not cut
};

class ObjectReader {
 public:
  struct Entry {
    uint64_t key = 0;
    uint64_t value = 0;
  };

  // The arguments outlive the reader.
  ObjectReader(const Memory& memory, const wire_python_config& config,
               const RuntimeOffsets& runtime)
      : memory_(memory), config_(config), runtime_(runtime) {}

  // A str (2.7: a byte string); empty = not readable or not a str. At most `max_bytes` of its
  // characters are read.
  [[nodiscard]] std::optional<RemoteText> text(uint64_t object, std::size_t max_bytes) const;
  // A str that equals `expected` (ASCII).
  [[nodiscard]] bool text_is(uint64_t object, std::string_view expected) const;
  // A non-negative int below 2^64.
  [[nodiscard]] std::optional<uint64_t> integer(uint64_t object) const;
  // The entries of a dict, deleted ones left out; empty if it isn't one or has over 65,536.
  [[nodiscard]] std::vector<Entry> dict_entries(uint64_t object) const;
  // The value of a str key; 0 = none.
  [[nodiscard]] uint64_t dict_value(uint64_t object, std::string_view key) const;
  // An attribute of an instance of a class written in Python; 0 = none.
  [[nodiscard]] uint64_t attribute(uint64_t object, std::string_view name) const;
  // Whether its type has all of these Py_TPFLAGS.
  [[nodiscard]] bool has_type_flag(uint64_t object, uint64_t flag) const;
  // By how much the head of an object is longer than in a build with a GIL.
  [[nodiscard]] uint64_t head_growth() const { return config_.str_length - 16u; }

 private:
  std::vector<Entry> table_entries(uint64_t keys, uint64_t values) const;
  uint64_t find(const std::vector<Entry>& entries, std::string_view key) const;
  std::vector<Entry> entries_at(uint64_t first, std::size_t count, std::size_t words,
                                uint64_t values) const;
  std::vector<Entry> slot_entries(uint64_t object) const;
  std::vector<Entry> lookup_entries(uint64_t keys, uint64_t values) const;
  uint64_t valid_values(uint64_t head_address) const;
  std::optional<RemoteText> byte_text(uint64_t object, std::size_t max_bytes) const;

  const Memory& memory_;
  const wire_python_config& config_;
  const RuntimeOffsets& runtime_;
};

}  // namespace pyprof::python
