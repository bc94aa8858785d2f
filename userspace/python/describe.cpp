// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/describe.h"

#include <algorithm>
#include <cctype>

namespace pyprof::python {
namespace {

// The variable that turns the JIT on is read only by builds that have one (3.13 on,
// Python/pylifecycle.c). A string of its own among the constants.
bool has_jit(const elf::ElfFile& file) {
  constexpr std::string_view kVariable("\0PYTHON_JIT\0", 12);
  const elf::Section* section = file.section(".rodata");
  if (section == nullptr) return false;
  const auto bytes = file.section_bytes(*section);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.find(kVariable) != std::string_view::npos;
}

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

// "python3.12", "libpython2.7.so.1.0", "python3.13t"; not "python3-config" or "python.conf".
bool is_interpreter_name(std::string_view path) {
  std::string_view name = path.substr(std::min(path.size(), path.rfind('/') + 1));
  const bool library = name.starts_with("lib");
  if (library) name.remove_prefix(3);
  if (!name.starts_with("python")) return false;
  name.remove_prefix(6);
  if (name.empty() || !is_digit(name.front())) return false;
  const std::size_t end = name.find_first_not_of("0123456789.td");
  if (!library) return end == std::string_view::npos;
  return name.find(".so") != std::string_view::npos;
}

bool is_whole(const elf::ElfFile& file) {
  return std::all_of(file.segments().begin(), file.segments().end(), [&](const elf::Segment& s) {
    return s.file_bytes == 0 || file.at_address(s.address + s.file_bytes - 1, 1).size() == 1;
  });
}

std::string route_text(const wire_python_config& config, const TsdLayout& tsd) {
  if (config.state_kind == WIRE_PY_STATE_TLS) return "thread-local variable";
  if (config.state_kind == WIRE_PY_STATE_DTV) return "thread-local variable of a library";
  const std::string key =
      tsd.state_kind == WIRE_PY_STATE_KEY_MUSL ? "pthread key (musl)" : "pthread key (glibc)";
  return config.current_address != 0 ? "running thread of the runtime, else " + key : key;
}

}  // namespace

std::string build_text(const elf::ElfFile& file, bool free_threaded) {
  std::string text = file.soname().empty() ? "static" : "shared";
  if (free_threaded) text += ", free-threaded";
  if (has_jit(file)) text += ", JIT";
  return text;
}

std::optional<InterpreterFile> inspect_mapped(const Result<elf::ElfFile>& file,
                                              std::string_view path) {
  if (file) {
    auto found = inspect(*file, path);
    if (found || is_whole(*file)) return found;
  }
  if (!is_interpreter_name(path)) return std::nullopt;
  InterpreterFile damaged;
  damaged.path = path;
  damaged.unsupported = "named like CPython, but " +
                        (file ? "the file is shorter than it says" : file.error().message);
  damaged.reason = model::Unsupported::kUnreadableFile;
  return damaged;
}

model::PythonDetails describe(const InterpreterFile& file, const TsdLayout* tsd) {
  model::PythonDetails details;
  details.image = file.path;
  details.build = file.build;
  if (!file.supported()) {
    details.reason = file.reason;
    details.detail = file.unsupported;
  } else if (tsd == nullptr ||
             (file.config.state_kind == WIRE_PY_STATE_DTV && tsd->vector.element_bytes == 0)) {
    details.reason = model::Unsupported::kCLibrary;
    details.detail = "its C library is not known";
  } else {
    details.route = route_text(file.config, *tsd);
    details.counter = file.config.stamp_address != 0 || file.config.stamp_offset != 0;
  }
  return details;
}

}  // namespace pyprof::python
