// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/interpreter_legacy.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

namespace pyprof::python {
namespace {

constexpr std::size_t kMaxFunctionBytes = 128;

// The variable of the first instruction in an exported function that begins with `opcode` and goes
// on with a distance from the next instruction.
std::optional<uint64_t> first_relative(const elf::ElfFile& file, std::string_view function,
                                       std::span<const uint8_t> opcode) {
  const auto symbol = file.find_symbol(function);
  if (!symbol) return std::nullopt;
  const auto code =
      file.at_address(symbol->address, std::min<uint64_t>(symbol->bytes, kMaxFunctionBytes));
  const auto at = std::search(code.begin(), code.end(), opcode.begin(), opcode.end());
  int32_t distance = 0;
  if (code.end() - at < static_cast<std::ptrdiff_t>(opcode.size() + sizeof(distance)))
    return std::nullopt;
  const auto end = static_cast<std::size_t>(at - code.begin()) + opcode.size() + sizeof(distance);
  std::memcpy(&distance, code.data() + end - sizeof(distance), sizeof(distance));
  return symbol->address + end + static_cast<uint64_t>(int64_t{distance});
}

}  // namespace

// str is bytes in Python 2 only; 3.6 was the first to export the eval function that PEP 523 made
// replaceable, 3.7 the first with _PyRuntime.
uint16_t version_without_runtime(const elf::ElfFile& file) {
  if (file.find_symbol("PyString_FromString"))
    return file.find_symbol("PyCapsule_New") && file.find_symbol("PyMemoryView_FromObject") ? 0x207
                                                                                            : 0;
  return file.find_symbol("_PyEval_EvalFrameDefault") ? 0x306 : 0;
}

// PyInterpreterState_Head is: mov interp_head(%rip),%rax; ret.
std::optional<uint64_t> find_interpreter_list(const elf::ElfFile& file) {
  constexpr uint8_t kLoadRax[] = {0x48, 0x8b, 0x05};
  if (const auto symbol = file.find_symbol("interp_head")) return symbol->address;
  return first_relative(file, "PyInterpreterState_Head", kLoadRax);
}

// PyGILState_GetThisThreadState passes it on: mov autoTLSkey(%rip),%edi.
std::optional<uint64_t> find_state_key(const elf::ElfFile& file) {
  constexpr uint8_t kLoadEdi[] = {0x8b, 0x3d};
  if (const auto symbol = file.find_symbol("autoTLSkey")) return symbol->address;
  return first_relative(file, "PyGILState_GetThisThreadState", kLoadEdi);
}

}  // namespace pyprof::python
