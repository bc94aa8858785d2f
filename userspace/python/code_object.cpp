// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/code_object.h"

#include <algorithm>
#include <string>

#include "userspace/python/objects.h"

namespace pyprof::python {
namespace {

constexpr std::size_t kMaxNameBytes = 4096;
constexpr std::size_t kMaxTableBytes = 1 << 20;

// A bytes object; false = not readable.
bool read_table(const Memory& memory, const wire_python_config& config, uint64_t object,
                model::CodeObject& code) {
  int64_t size = 0;
  if (!memory.read_value(object + config.bytes_size, size) || size < 0) return false;
  code.line_table_bytes = static_cast<uint32_t>(std::min<int64_t>(size, UINT32_MAX));
  code.line_table.resize(std::min<std::size_t>(code.line_table_bytes, kMaxTableBytes));
  return memory.read(object + config.bytes_data, code.line_table.data(), code.line_table.size());
}

Error unreadable(uint64_t address) {
  return Error{"code object at " + std::to_string(address) + ": not readable or gone"};
}

}  // namespace

Result<model::CodeObject> read_code(const Memory& memory, const wire_python_config& config,
                                    uint64_t address) {
  const RuntimeOffsets unused;  // strings need none
  const ObjectReader objects(memory, config, unused);
  uint64_t qualname = 0, filename = 0, table = 0;
  model::CodeObject code;
  code.address = address;
  code.version = config.version;
  if (!memory.read_value(address + config.code_first_line, code.first_line) ||
      !memory.read_value(address + config.code_qualname, qualname) ||
      !memory.read_value(address + config.code_filename, filename) ||
      !memory.read_value(address + config.code_linetable, table) ||
      !read_table(memory, config, table, code))
    return unreadable(address);
  const auto name = objects.text(qualname, kMaxNameBytes),
             file = objects.text(filename, kMaxNameBytes);
  if (!name || !file) return unreadable(address);
  code.qualname = name->utf8;
  code.filename = file->utf8;
  code.complete = name->whole && file->whole && code.line_table.size() == code.line_table_bytes;
  return code;
}

}  // namespace pyprof::python
