// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/versions_debug.h"

#include <array>

namespace pyprof::python {
namespace {

using Config = wire_python_config;
using Runtime = RuntimeOffsets;

// The head of an object is longer by this in free-threaded builds.
constexpr uint16_t kHeadGrowth = 16;

// What _Py_DebugOffsets doesn't say.
constexpr Config config_313() {
  Config config{};
  config.version = 0x30d;
  config.cframe_current = kNoMember;
  config.cframe_previous = kNoMember;
  config.frame_is_entry = kNoMember;
  config.owner_entry = 3;
  config.gil_held_mask = 1 << 5;  // _status.holds_gil
  config.code_flags = 48;
  config.str_hash = 24;
  config.str_kind_shift = 2;
  config.str_compact_data = 56;
  return config;
}

constexpr Config config_314() {
  Config config = config_313();
  config.version = 0x30e;
  config.code_tag_mask = 3;
  config.gil_held_mask = 1;  // holds_gil
  return config;
}

constexpr Config config_315() {
  Config config = config_314();
  config.version = 0x30f;
  return config;
}

// From 3.14 on each thread has its own copy of the bytecode, and `interned` of a str is a byte.
constexpr Config free_threaded(Config config) {
  config.code_flags += kHeadGrowth;
  config.str_hash += kHeadGrowth;
  config.str_compact_data += kHeadGrowth;
  if (config.version >= 0x30e) {
    config.chain = WIRE_PY_CHAIN_COPIES;
    config.str_kind_shift = 8;
  }
  return config;
}

constexpr std::array<DebugMember<Config>, 19> kConfig313{{
    {176, &Config::ts_interp},      {184, &Config::ts_frame},        {192, &Config::ts_thread_id},
    {208, &Config::ts_chunk},       {216, &Config::ts_gil},  // _status
    {232, &Config::frame_previous}, {240, &Config::frame_code},      {248, &Config::frame_ip},
    {264, &Config::frame_owner},    {280, &Config::code_filename},   {296, &Config::code_qualname},
    {304, &Config::code_linetable}, {312, &Config::code_first_line}, {344, &Config::code_bytes},
    {520, &Config::bytes_size},     {528, &Config::bytes_data},      {544, &Config::str_state},
    {552, &Config::str_length},     {560, &Config::str_ascii_data},
}};
constexpr std::array<DebugMember<Config>, 21> kConfig314{{
    {200, &Config::ts_interp},      {208, &Config::ts_frame},       {216, &Config::ts_thread_id},
    {232, &Config::ts_chunk},       {240, &Config::ts_gil},  // _status
    {256, &Config::frame_previous}, {264, &Config::frame_code},     {272, &Config::frame_ip},
    {288, &Config::frame_owner},    {304, &Config::frame_copy},     {320, &Config::code_filename},
    {336, &Config::code_qualname},  {344, &Config::code_linetable}, {352, &Config::code_first_line},
    {384, &Config::code_bytes},     {392, &Config::code_copies},    {600, &Config::bytes_size},
    {608, &Config::bytes_data},     {624, &Config::str_state},      {632, &Config::str_length},
    {640, &Config::str_ascii_data},
}};
constexpr std::array<DebugMember<Config>, 23> kConfig315{{
    {200, &Config::ts_interp},      {208, &Config::ts_frame},
    {240, &Config::ts_thread_id},   {256, &Config::ts_chunk},
    {272, &Config::ts_gil},  // holds_gil
    {280, &Config::ts_gil_wanted},  {320, &Config::frame_previous},
    {328, &Config::frame_code},     {336, &Config::frame_ip},
    {352, &Config::frame_owner},    {368, &Config::frame_copy},
    {384, &Config::code_filename},  {400, &Config::code_qualname},
    {408, &Config::code_linetable}, {416, &Config::code_first_line},
    {448, &Config::code_bytes},     {456, &Config::code_copies},
    {696, &Config::bytes_size},     {704, &Config::bytes_data},
    {720, &Config::str_state},      {728, &Config::str_length},
    {736, &Config::str_ascii_data}, {744, &Config::str_compact_data},
}};
constexpr std::array<DebugMember<Runtime>, 8> kRuntime313{{
    {56, &Runtime::interp_id},
    {40, &Runtime::interpreters_head},
    {64, &Runtime::interp_next},
    {72, &Runtime::interp_threads},
    {88, &Runtime::interp_modules},
    {168, &Runtime::thread_next},
    {200, &Runtime::thread_native_id},
    {256, &Runtime::frame_localsplus},
}};
constexpr std::array<DebugMember<Runtime>, 8> kRuntime314{{
    {56, &Runtime::interp_id},
    {40, &Runtime::interpreters_head},
    {64, &Runtime::interp_next},
    {72, &Runtime::interp_threads},
    {96, &Runtime::interp_modules},
    {192, &Runtime::thread_next},
    {224, &Runtime::thread_native_id},
    {280, &Runtime::frame_localsplus},
}};
constexpr std::array<DebugMember<Runtime>, 9> kRuntime315{{
    {56, &Runtime::interp_id},
    {40, &Runtime::interpreters_head},
    {64, &Runtime::interp_next},
    {72, &Runtime::interp_threads},
    {96, &Runtime::interp_modules},
    {192, &Runtime::thread_next},
    {248, &Runtime::thread_native_id},
    {536, &Runtime::type_cached_keys},
    {344, &Runtime::frame_localsplus},
}};

const VersionRow k313{.version = 0x30d,
                      .runtime_key = 2160,
                      .debug_bytes = 584,
                      .debug_gc = 80,
                      .debug_gc_collecting = 576,
                      .config = config_313(),
                      .runtime = {.type_cached_keys = 880},
                      .debug_config = kConfig313,
                      .debug_runtime = kRuntime313};
const VersionRow k314{.version = 0x30e,
                      .runtime_key = 2336,
                      .debug_bytes = 760,
                      .debug_code_generation = 160,
                      .debug_gc = 88,
                      .debug_gc_collecting = 656,
                      .gil_after_status = 4,
                      .config = config_314(),
                      .runtime = {.type_cached_keys = 880},
                      .debug_config = kConfig314,
                      .debug_runtime = kRuntime314};
// The state is in a thread-local variable.
const VersionRow k315{.version = 0x30f,
                      .debug_bytes = 888,
                      .debug_code_generation = 160,
                      .debug_gc = 88,
                      .debug_gc_collecting = 760,
                      .config = config_315(),
                      .runtime = {},
                      .debug_config = kConfig315,
                      .debug_runtime = kRuntime315};

VersionRow free_threaded(VersionRow row, uint16_t state_after_gil) {
  row.free_threaded = true;
  row.state_after_gil = state_after_gil;
  row.config = free_threaded(row.config);
  row.runtime.type_cached_keys += kHeadGrowth;
  return row;
}

const std::array<VersionRow, 6> kRows{
    k313, k314, k315, free_threaded(k313, 8), free_threaded(k314, 8), free_threaded(k315, 12)};

}  // namespace

std::span<const VersionRow> debug_rows() {
  return kRows;
}

}  // namespace pyprof::python
