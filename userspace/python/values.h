// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/python/memory.h"
#include "userspace/python/objects.h"

// Python values as text, read from outside while the process runs.
namespace pyprof::python {

struct ValueLimits {
  std::size_t text_bytes = 120;  // of a str or bytes; what was cut ends in "..."
  std::size_t items = 8;         // of a list, tuple or dict
  unsigned depth = 2;  // containers in containers; deeper ones are "[...]": no cycle is followed
  bool redact =
      false;  // "<redacted>" for what a name says is secret; longer texts are cut to 16 bytes
};

// Whether a variable or key of this name is likely to hold a secret: it has password, token, key,
// auth, ... in it.
[[nodiscard]] bool is_secret_name(std::string_view name);

// For one thread.
class ValueReader {
 public:
  static constexpr std::size_t kMaxValues = 5'000;  // read by one reader; the rest is "..."

  // The arguments outlive the reader.
  ValueReader(const Memory& memory, const wire_python_config& config, const RuntimeOffsets& offsets,
              const ValueLimits& limits)
      : memory_(memory), config_(config), objects_(memory, config, offsets), limits_(limits) {}

  // As repr() writes None, bool, int, float, str, bytes, list, tuple and dict; of anything else
  // `<module.Class object>`: no code of the process is run. "<unreadable>" of what is torn or gone.
  // Control characters are escaped.
  [[nodiscard]] std::string text(uint64_t object) const { return value(object, 0); }

  // The object in a cell; 0 = empty. Of what is no cell the object itself.
  [[nodiscard]] uint64_t content(uint64_t object) const;
  // The items of a tuple, at most `max`.
  [[nodiscard]] std::vector<uint64_t> tuple_items(uint64_t object, std::size_t max) const;
  // A str, "" if it isn't one.
  [[nodiscard]] std::string name(uint64_t object) const;
  // The payload of a bytes object, at most `max`.
  [[nodiscard]] std::string raw_bytes(uint64_t object, std::size_t max) const;

 private:
  struct Type {
    uint64_t address = 0;
    uint64_t flags = 0;
    std::string name;  // tp_name
  };

  bool read_type(uint64_t object, Type& type) const;
  [[nodiscard]] std::string value(uint64_t object, unsigned depth) const;
  [[nodiscard]] std::string builtin(uint64_t object, const Type& type, unsigned depth) const;
  [[nodiscard]] std::string object_text(const Type& type) const;
  [[nodiscard]] std::string int_text(uint64_t object, bool old_long) const;
  [[nodiscard]] std::string float_text(uint64_t object) const;
  [[nodiscard]] std::string str_text(uint64_t object) const;
  [[nodiscard]] std::string bytes_text(uint64_t object) const;
  [[nodiscard]] std::string list_text(uint64_t object, unsigned depth) const;
  [[nodiscard]] std::string tuple_text(uint64_t object, unsigned depth) const;
  [[nodiscard]] std::string dict_text(uint64_t object, unsigned depth) const;
  [[nodiscard]] std::string joined(const std::vector<uint64_t>& items, std::size_t count,
                                   unsigned depth) const;
  [[nodiscard]] std::size_t text_limit() const;

  const Memory& memory_;
  const wire_python_config& config_;
  const ObjectReader objects_;
  const ValueLimits limits_;
  mutable std::size_t values_left_ = kMaxValues;
};

}  // namespace pyprof::python
