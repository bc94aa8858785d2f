// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/versions_legacy.h"

#include <array>

// Checked against the headers of installed versions by tests/tools/cpython_layout.py.
namespace pyprof::python {
namespace {

using Config = wire_python_config;

// What the kernel side reads of a thread state ends 24 bytes behind ts_chunk.
constexpr uint16_t kReadBehindChunk = 24;
constexpr uint16_t kPointerBytes = 8;

constexpr Config common() {
  Config config{};
  config.cframe_current = kNoMember;
  config.cframe_previous = kNoMember;
  config.frame_owner = 0;
  config.frame_is_entry = kNoMember;
  config.owner_entry = kNoMember;
  config.frame_previous = 24;
  config.frame_code = 32;
  config.chain = WIRE_PY_CHAIN_OBJECTS;
  config.interp_threads = 8;
  return config;
}

constexpr Config with_thread(Config config, uint16_t interp, uint16_t thread_id) {
  config.ts_interp = interp;
  config.ts_next = static_cast<uint16_t>(interp - kPointerBytes);
  config.ts_frame = static_cast<uint16_t>(interp + kPointerBytes);
  config.ts_thread_id = thread_id;
  config.ts_chunk = static_cast<uint16_t>(thread_id + kPointerBytes - kReadBehindChunk);
  return config;
}

constexpr Config with_frame(Config config, uint16_t lasti, uint16_t locals) {
  config.frame_ip = lasti;
  config.frame_locals = locals;
  return config;
}

constexpr Config with_str(Config config) {
  config.str_length = 16;
  config.str_hash = 24;
  config.str_state = 32;
  config.str_kind_shift = 2;
  config.str_ascii_data = 48;
  config.str_compact_data = 72;
  config.bytes_size = 16;
  config.bytes_data = 32;
  return config;
}

// co_filename, co_name and co_lnotab follow each other (in 2.7 with co_firstlineno before the
// last); so does co_zombieframe, which changes at every call and is where the part that counts
// ends.
constexpr Config with_code(Config config, uint16_t nlocals, uint16_t first_line,
                           uint16_t filename) {
  constexpr uint16_t kHeadBytes = 96;
  constexpr uint16_t kZombieFrame = 3 * kPointerBytes;
  config.code_flags = static_cast<uint16_t>(filename + kZombieFrame - kHeadBytes);
  config.code_argcount = 16;
  config.code_nlocals = nlocals;
  config.code_first_line = first_line;
  config.code_filename = filename;
  config.code_qualname = static_cast<uint16_t>(filename + kPointerBytes);
  config.code_linetable = static_cast<uint16_t>(filename + 2 * kPointerBytes);
  config.code_bytes = 0;
  return config;
}

// co_varnames, co_freevars, co_cellvars, co_cell2arg.
constexpr Config with_arguments(Config config, uint16_t varnames, uint16_t cell2arg_bytes) {
  config.code_varnames = varnames;
  config.code_cell2arg = static_cast<uint16_t>(varnames + 3 * kPointerBytes);
  config.cell2arg_bytes = cell2arg_bytes;
  return config;
}

constexpr Config config_27() {
  Config config = with_code(with_frame(with_thread(common(), 8, 144), 120, 376), 20, 96, 80);
  config.version = 0x207;
  config.str_length = 16;
  config.str_hash = 24;
  config.str_state = kNoMember;
  config.str_ascii_data = 36;
  config.str_compact_data = 36;
  config.bytes_size = 16;
  config.bytes_data = 36;
  config.code_flags = 16;
  config.code_linetable = 104;
  config.code_varnames = 56;
  config.code_cell2arg = kNoMember;
  return config;
}

constexpr Config config_36() {
  Config config = with_code(with_frame(with_thread(common(), 16, 152), 120, 376), 24, 36, 96);
  config.version = 0x306;
  config.key_plain = 1;
  return with_arguments(with_str(config), 64, 1);
}

constexpr Config config_37() {
  Config config = with_code(with_frame(with_thread(common(), 16, 176), 104, 360), 24, 36, 96);
  config.version = 0x307;
  return with_arguments(with_str(config), 64, kPointerBytes);
}

constexpr Config config_38(uint16_t version) {
  Config config = with_code(with_frame(with_thread(common(), 16, 176), 104, 360), 28, 40, 104);
  config.version = version;
  return with_arguments(with_str(config), 72, kPointerBytes);
}

constexpr Config config_310() {
  Config config = with_frame(config_38(0x30a), 96, 352);
  config.lasti_shift = 1;
  return config;
}

struct Function {
  uint16_t code, closure, name;
};
constexpr Function kFunction27{16, 40, 56};
constexpr Function kFunction36{16, 48, 104};
constexpr Function kFunction310{48, 72, 40};

constexpr RuntimeOffsets runtime_of(uint16_t interpreters_head, uint16_t modules,
                                    const Function& function) {
  RuntimeOffsets offsets;
  offsets.interpreters_head = interpreters_head;
  offsets.interp_next = 0;
  offsets.interp_threads = 8;
  offsets.interp_modules = modules;
  offsets.attributes = AttributeStorage::kDict;
  offsets.function_code = function.code;
  offsets.function_closure = function.closure;
  offsets.function_name = function.name;
  return offsets;
}

// The collector's state was global up to 3.8.
constexpr RuntimeOffsets with_collector(RuntimeOffsets offsets) {
  offsets.interp_id = 24;
  offsets.interp_gc_collecting = 816;
  return offsets;
}

// 3.7.4 put 88 bytes into _PyRuntimeState.gc, in front of what we read but interpreters.head.
const std::array<VersionRow, 7> kRows{{
    {.version = 0x207, .config = config_27(), .runtime = runtime_of(0, 16, kFunction27)},
    {.version = 0x306, .config = config_36(), .runtime = runtime_of(0, 16, kFunction36)},
    {.version = 0x307,
     .runtime_key = 1416,
     .runtime_current = 1392,
     .runtime_bytes = 1432,
     .config = config_37(),
     .runtime = runtime_of(24, 40, kFunction36)},
    {.version = 0x307,
     .runtime_key = 1504,
     .runtime_current = 1480,
     .runtime_bytes = 1520,
     .config = config_37(),
     .runtime = runtime_of(24, 40, kFunction36)},
    {.version = 0x308,
     .runtime_key = 1392,
     .runtime_current = 1368,
     .runtime_bytes = 1464,
     .config = config_38(0x308),
     .runtime = runtime_of(32, 56, kFunction36)},
    {.version = 0x309,
     .runtime_key = 584,
     .runtime_current = 568,
     .runtime_bytes = 656,
     .config = config_38(0x309),
     .runtime = with_collector(runtime_of(32, 856, kFunction36))},
    {.version = 0x30a,
     .runtime_key = 584,
     .runtime_current = 568,
     .runtime_bytes = 672,
     .config = config_310(),
     .runtime = with_collector(runtime_of(32, 856, kFunction310))},
}};

}  // namespace

std::span<const VersionRow> legacy_rows() {
  return kRows;
}

}  // namespace pyprof::python
