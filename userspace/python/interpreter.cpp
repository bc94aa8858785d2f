// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/interpreter.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "userspace/python/code_counter.h"
#include "userspace/python/describe.h"
#include "userspace/python/interpreter_legacy.h"
#include "userspace/python/thread_variable.h"

namespace pyprof::python {
namespace {

constexpr uint64_t kRuntimeHeadBytes = 1024;
constexpr std::size_t kMaxVersionText = 12;

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

// _PyRuntime of the file; 0 = none. A main program may hold a copy of a library's variable
// (R_X86_64_COPY), so that the symbol alone proves nothing.
uint64_t find_runtime(const elf::ElfFile& file) {
  if (const elf::Section* section = file.section(".PyRuntime")) return section->address;
  if (!file.find_symbol("PyInterpreterState_Head")) return 0;
  const auto symbol = file.find_symbol("_PyRuntime");
  return symbol ? symbol->address : 0;
}

std::optional<uint64_t> read_version_symbol(const elf::ElfFile& file) {
  const auto symbol = file.find_symbol("Py_Version");
  if (!symbol) return std::nullopt;
  const auto bytes = file.at_address(symbol->address, sizeof(uint64_t));
  uint64_t version_hex = 0;
  if (bytes.size() != sizeof(version_hex)) return std::nullopt;
  std::memcpy(&version_hex, bytes.data(), sizeof(version_hex));
  if (version_hex >> 24 != 3) return std::nullopt;
  return version_hex;
}

// "3.10" of "libpython3.10.so.1.0", "/usr/bin/python3.10"; "" = none.
std::string minor_of_name(std::string_view name) {
  constexpr std::string_view kWord = "python";
  name.remove_prefix(std::min(name.size(), name.rfind('/') + 1));
  const std::size_t at = name.find(kWord);
  if (at == std::string_view::npos) return "";
  name.remove_prefix(at + kWord.size());
  std::size_t end = 0;
  while (end < name.size() && end < kMaxVersionText && is_digit(name[end]))
    ++end;
  if (end == 0 || end >= name.size() || name[end] != '.') return "";
  const std::size_t dot = end++;
  while (end < name.size() && end < kMaxVersionText && is_digit(name[end]))
    ++end;
  return end == dot + 1 ? "" : std::string(name.substr(0, end));
}

// The patch level as the end of a string such as "3.10.13" among the constants (the linker may have
// merged it with a longer one); "" = none.
std::string patch_in_constants(const elf::ElfFile& file, const std::string& minor) {
  constexpr std::string_view kBefore("\0/- ", 4), kAfter("\0+", 2);
  const elf::Section* section = file.section(".rodata");
  if (section == nullptr || minor.empty()) return "";
  const auto bytes = file.section_bytes(*section);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string start = minor + ".";
  for (std::size_t at = text.find(start); at != text.npos; at = text.find(start, at + 1)) {
    const std::size_t patch = at + start.size();
    std::size_t end = patch;
    while (end < text.size() && end < at + kMaxVersionText && is_digit(text[end]))
      ++end;
    if (end == patch || end == text.size() || kAfter.find(text[end]) == kAfter.npos) continue;
    if (at > 0 && kBefore.find(text[at - 1]) != kBefore.npos)
      return std::string(text.substr(at, end - at));
  }
  return "";
}

uint16_t parse_minor(const std::string& minor) {
  const std::size_t dot = minor.find('.');
  if (dot == std::string::npos || minor.size() > 6) return 0;
  return static_cast<uint16_t>(std::stoul(minor.substr(0, dot)) << 8 |
                               std::stoul(minor.substr(dot + 1)));
}

std::string minor_text(uint16_t version) {
  return std::to_string(version >> 8) + "." + std::to_string(version & 0xff);
}

// sizeof(_PyRuntimeState); 0 = unknown.
uint64_t runtime_bytes(const elf::ElfFile& file) {
  const auto symbol = file.find_symbol("_PyRuntime");
  return symbol ? symbol->bytes : 0;
}

// From Py_Version (3.11 on), else the library's name and its constants. Before 3.11 a file with
// another name is known by what it exports.
void find_version_of(const elf::ElfFile& file, std::string_view path, InterpreterFile& found) {
  if (const auto version_hex = read_version_symbol(file)) {
    found.version = static_cast<uint16_t>(*version_hex >> 16);
    found.full_version = version_text(*version_hex);
    return;
  }
  std::string minor = minor_of_name(file.soname());
  if (minor.empty()) minor = minor_of_name(path);
  found.version = parse_minor(minor);
  // From 3.11 on every build has Py_Version: the name alone proves nothing.
  if (found.version >= 0x30b) {
    found.version = 0;
    return;
  }
  if (found.version == 0) {
    found.version = found.runtime_address ? version_of_runtime(runtime_bytes(file))
                                          : version_without_runtime(file);
    if (found.version) minor = minor_text(found.version);
  }
  found.full_version = patch_in_constants(file, minor);
  if (found.full_version.empty()) found.full_version = minor;
}

void refuse_without_state(InterpreterFile& found) {
  found.unsupported = "CPython " + minor_text(found.version) + ": its thread states were not found";
  found.reason = model::Unsupported::kThreadState;
}

// 2.7 and 3.6. 3.6's key is as good as later ones; 2.7's values are in a list of their own, so that
// the list of threads is searched instead; also where 3.6's key isn't found.
void fill_without_runtime(const elf::ElfFile& file, InterpreterFile& found) {
  const auto current = file.find_symbol("_PyThreadState_Current");
  const auto list = find_interpreter_list(file);
  const auto key = found.config.key_plain ? find_state_key(file) : std::nullopt;
  if (!current || (!list && !key)) return refuse_without_state(found);
  found.runtime_address = list.value_or(0);
  found.config.current_address = current->address;
  found.config.key_address = key.value_or(found.runtime_address);
  if (!key) found.config.state_kind = WIRE_PY_STATE_LIST;
}

// 3.15 on. _Py_tss_gilstate stays while the thread is outside the interpreter, unlike
// _Py_tss_tstate.
void fill_thread_variable(const elf::ElfFile& file, InterpreterFile& found) {
  const auto variable =
      find_thread_variable(file, "_Py_tss_gilstate", "PyGILState_GetThisThreadState");
  if (!variable) return refuse_without_state(found);
  found.config.tls_offset = variable->offset;
  found.config.key_address = variable->module_slot;
  found.config.state_kind = variable->module_slot ? WIRE_PY_STATE_DTV : WIRE_PY_STATE_TLS;
}

void fill_from_row(const elf::ElfFile& file, const VersionRow& row, InterpreterFile& found) {
  found.runtime = row.runtime;
  found.config = row.config;
  if (row.runtime_key == 0 && row.debug_bytes != 0) return fill_thread_variable(file, found);
  if (row.runtime_key == 0) return fill_without_runtime(file, found);
  found.config.key_address = found.runtime_address + row.runtime_key;
  if (row.runtime_current != kNoMember)
    found.config.current_address = found.runtime_address + row.runtime_current;
  if (row.version == 0x30c) found.config.stamp_address = find_global_code_counter(file).value_or(0);
  if (row.version == 0x30d)
    found.config.stamp_offset = find_interpreter_code_counter(file).value_or(0);
}

// Why a file is not of the version that it says it is; before 3.11 nothing else tells its layout.
std::string contradiction(const elf::ElfFile& file, const VersionRow* row,
                          const InterpreterFile& found) {
  constexpr uint16_t kFirstWithRuntime = 0x307, kFirstWithVersion = 0x30b;
  if (!found.version || found.version >= kFirstWithVersion) return "";
  const bool has_runtime = found.version >= kFirstWithRuntime;
  if (has_runtime != (found.runtime_address != 0) ||
      (!has_runtime && row != nullptr && version_without_runtime(file) != found.version))
    return "the file exports what another version does";
  if (has_runtime && row == nullptr && find_version(found.version) != nullptr)
    return "its _PyRuntime has " + std::to_string(runtime_bytes(file)) +
           " bytes, as in no known build";
  return "";
}

void fill_supported(const elf::ElfFile& file, bool free_threaded, InterpreterFile& found) {
  const std::string name =
      found.version ? "CPython " + minor_text(found.version) : "CPython of unknown version";
  const VersionRow* row = find_version(found.version, runtime_bytes(file), free_threaded);
  if (const std::string why = contradiction(file, row, found); !why.empty()) {
    found.unsupported = name + ": " + why;
    return;
  }
  if (row == nullptr) {
    found.unsupported = name + (free_threaded ? " free-threaded" : "") + ": not supported yet";
    if (!found.version) found.reason = model::Unsupported::kVersionUnknown;
    return;
  }
  if (row->debug_bytes == 0) return fill_from_row(file, *row, found);
  auto filled = with_debug_offsets(*row, file.at_address(found.runtime_address, kRuntimeHeadBytes));
  if (!filled) {
    found.unsupported = filled.error().message;
    found.reason = model::Unsupported::kDebugOffsets;
    return;
  }
  fill_from_row(file, *filled, found);
}

// One of glibc's descriptions for libthread_db: {bits, count, offset}.
bool read_description(const elf::ElfFile& file, std::string_view name, uint32_t& bits,
                      uint32_t& offset) {
  uint32_t fields[3];
  const auto symbol = file.find_symbol(name);
  if (!symbol) return false;
  const auto bytes = file.at_address(symbol->address, sizeof(fields));
  if (bytes.size() != sizeof(fields)) return false;
  std::memcpy(fields, bytes.data(), sizeof(fields));
  bits = fields[0];
  offset = fields[2];
  return true;
}

// Elements are {address, what to free}.
DtvLayout glibc_vector(const elf::ElfFile& file) {
  constexpr uint32_t kPointerBits = 64, kMaxOffset = 4096, kMaxBits = 1024;
  uint32_t pointer_bits = 0, pointer = 0, element_bits = 0, first = 0, value_bits = 0, value = 0;
  const bool usual = read_description(file, "_thread_db_pthread_dtvp", pointer_bits, pointer) &&
                     read_description(file, "_thread_db_dtv_dtv", element_bits, first) &&
                     read_description(file, "_thread_db_dtv_t_pointer_val", value_bits, value) &&
                     pointer_bits == kPointerBits && pointer < kMaxOffset &&
                     element_bits >= kPointerBits && element_bits <= kMaxBits &&
                     element_bits % kPointerBits == 0 && first == 0 && value_bits == kPointerBits &&
                     value == 0;
  if (!usual) return {};
  return {static_cast<uint16_t>(pointer), static_cast<uint16_t>(element_bits / 8)};
}

// glibc's layout as it describes it to debuggers; also on other architectures.
std::optional<TsdLayout> glibc_layout(const elf::ElfFile& file) {
  uint32_t table_bits = 0, table_offset = 0, data_bits = 0, data_offset = 0, data_size = 0;
  const auto size = file.find_symbol("_thread_db_sizeof_pthread_key_data");
  if (!size || !read_description(file, "_thread_db_pthread_specific", table_bits, table_offset) ||
      !read_description(file, "_thread_db_pthread_key_data_data", data_bits, data_offset))
    return std::nullopt;
  const auto bytes = file.at_address(size->address, sizeof(data_size));
  if (bytes.size() == sizeof(data_size)) std::memcpy(&data_size, bytes.data(), sizeof(data_size));
  // The kernel side relies on the first block of keys being right in front of the table.
  const bool usual = table_bits == 64 * 32 && data_bits == 64 && data_size >= 16 &&
                     data_size <= 64 && data_offset <= data_size - 8 &&
                     table_offset >= 32 * data_size && table_offset < 0x8000;
  if (!usual) return std::nullopt;
  uint32_t tid_bits = 0, tid_offset = 0;
  const bool tid = read_description(file, "_thread_db_pthread_tid", tid_bits, tid_offset) &&
                   tid_bits == 32 && tid_offset < 0x8000;
  return TsdLayout{WIRE_PY_STATE_KEY_GLIBC,
                   static_cast<uint16_t>(table_offset),
                   static_cast<uint16_t>(data_size),
                   static_cast<uint16_t>(data_offset),
                   static_cast<uint16_t>(tid ? tid_offset : 0),
                   glibc_vector(file)};
}

// musl's pthread_getspecific on x86-64 begins: mov %fs:0,%rax; mov tsd(%rax),%rax. Not every
// distribution gives the library a name of its own.
std::optional<TsdLayout> musl_layout(const elf::ElfFile& file) {
  constexpr uint8_t kStart[] = {0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x8b, 0x80};
  constexpr uint32_t kMaxTsd = 4096;
  uint32_t tsd = 0;
  const auto function = file.find_symbol("pthread_getspecific");
  if (!function || !file.find_symbol("__libc_start_main")) return std::nullopt;
  const auto code = file.at_address(function->address, sizeof(kStart) + sizeof(tsd));
  if (code.size() != sizeof(kStart) + sizeof(tsd) ||
      std::memcmp(code.data(), kStart, sizeof(kStart)) != 0)
    return std::nullopt;
  std::memcpy(&tsd, code.data() + sizeof(kStart), sizeof(tsd));
  if (tsd >= kMaxTsd) return std::nullopt;
  constexpr DtvLayout kVector{8, 8};  // struct pthread {self, dtv}
  return TsdLayout{WIRE_PY_STATE_KEY_MUSL, static_cast<uint16_t>(tsd), 8, 0, 0, kVector};
}

}  // namespace

std::optional<InterpreterFile> inspect(const elf::ElfFile& file, std::string_view path) {
  InterpreterFile found;
  found.runtime_address = find_runtime(file);
  if (!found.runtime_address && !file.find_symbol("PyInterpreterState_Head")) return std::nullopt;
  DebugHead head;
  const auto runtime = file.at_address(found.runtime_address, kRuntimeHeadBytes);
  if (found.runtime_address && read_debug_head(runtime, head)) {
    found.version = static_cast<uint16_t>(head.version_hex >> 16);
    found.full_version = version_text(head.version_hex);
  } else {
    find_version_of(file, path, found);
  }
  fill_supported(file, head.free_threaded, found);
  found.path = path;
  found.build = build_text(file, head.free_threaded);
  return found;
}

std::optional<TsdLayout> inspect_libc(const elf::ElfFile& file) {
  if (auto layout = glibc_layout(file)) return layout;
  return musl_layout(file);
}

std::optional<AsyncioLayout> inspect_asyncio(const elf::ElfFile& file) {
  constexpr std::size_t kTaskName = 1, kThreadRunningTask = 11, kWords = 13;
  constexpr uint64_t kMaxTaskOffset = 4096;
  const elf::Section* section = file.section(".AsyncioDebug");
  if (section == nullptr) return std::nullopt;
  std::array<uint64_t, kWords> words;
  const auto bytes = file.section_bytes(*section);
  if (bytes.size() < sizeof(words)) return std::nullopt;
  std::memcpy(words.data(), bytes.data(), sizeof(words));
  const uint64_t running = words[kThreadRunningTask], name = words[kTaskName];
  const bool usual = running % 8 == 0 && running + 8 <= WIRE_MAX_STATE_BYTES && running > 0 &&
                     name % 8 == 0 && name < kMaxTaskOffset;
  if (!usual) return std::nullopt;
  return AsyncioLayout{static_cast<uint16_t>(running), static_cast<uint16_t>(name)};
}

namespace {

// One read of the interpreter state instead of one for each member, if they are near each other.
void place_interpreter_window(const RuntimeOffsets& offsets, wire_python_config& config) {
  constexpr uint32_t kStampBytes = 4;
  constexpr uint32_t kMaxWindow = 1024;  // longer reads cost more than a second one
  const uint32_t first = std::min(offsets.interp_id, offsets.interp_gc_collecting);
  const uint32_t end = std::max<uint32_t>(offsets.interp_id, offsets.interp_gc_collecting) + 8;
  if (first == 0 || first % 8 != 0 || end - first > kMaxWindow) return;
  config.interp_first = static_cast<uint16_t>(first);
  config.interp_bytes = static_cast<uint16_t>(end - first);
  config.interp_id = static_cast<uint16_t>(offsets.interp_id - first);
  config.interp_gc = static_cast<uint16_t>(offsets.interp_gc_collecting - first);
  const uint32_t stamp = config.stamp_offset;
  if (stamp <= first || stamp + kStampBytes - first > kMaxWindow) return;
  config.interp_stamp = static_cast<uint16_t>(stamp - first);
  config.interp_bytes = static_cast<uint16_t>(std::max(end, stamp + kStampBytes) - first);
}

}  // namespace

wire_python_config make_config(const InterpreterFile& file, uint64_t load_bias,
                               const TsdLayout& tsd, const AsyncioLayout* asyncio) {
  wire_python_config config = file.config;
  config.ts_bytes = static_cast<uint16_t>(config.ts_chunk + 24);
  if (asyncio != nullptr) {
    config.ts_task = asyncio->thread_running_task;
    config.task_name = asyncio->task_name;
    config.ts_bytes = std::max(config.ts_bytes, static_cast<uint16_t>(config.ts_task + 8));
  }
  place_interpreter_window(file.runtime, config);
  if (config.key_address) config.key_address += load_bias;
  if (config.current_address) config.current_address += load_bias;
  if (config.stamp_address) config.stamp_address += load_bias;
  if (config.state_kind == WIRE_PY_STATE_DTV) {
    config.tsd_level1 = tsd.vector.pointer;
    config.tsd_data_size = tsd.vector.element_bytes;
    return config;
  }
  if (config.state_kind == 0) config.state_kind = tsd.state_kind;
  config.tsd_level1 = tsd.level1;
  config.tsd_data_size = tsd.data_size;
  config.tsd_data_offset = tsd.data_offset;
  return config;
}

}  // namespace pyprof::python
