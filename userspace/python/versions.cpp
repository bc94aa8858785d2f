// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/versions.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "userspace/python/versions_debug.h"
#include "userspace/python/versions_legacy.h"

namespace pyprof::python {
namespace {

using Config = wire_python_config;

constexpr char kCookie[] = "xdebugpy";
constexpr uint64_t kMaxOffset = 16 * 1024;

// What the kernel side copies of each struct, see bpf/python_unwind.bpf.h and bpf/intern.bpf.h.
constexpr uint16_t kThreadStateBytes = 0x1ff;
constexpr uint16_t kFrameBytes = 80;
constexpr uint16_t kCodeHeadBytes = 96;

constexpr Config with_text(Config config, uint16_t ascii_data, uint16_t compact_data) {
  config.str_length = 16;
  config.str_hash = 24;
  config.str_state = 32;
  config.str_kind_shift = 2;
  config.str_ascii_data = ascii_data;
  config.str_compact_data = compact_data;
  config.bytes_size = 16;
  config.bytes_data = 32;
  return config;
}

constexpr Config with_code(Config config, uint16_t first_line, uint16_t bytes) {
  config.code_flags = 48;
  config.code_first_line = first_line;
  config.code_filename = 112;
  config.code_qualname = 128;
  config.code_linetable = 136;
  config.code_bytes = bytes;
  return config;
}

constexpr Config config_311() {
  Config config{};
  config.version = 0x30b;
  config.ts_interp = 16;
  config.ts_frame = 56;  // cframe
  config.ts_chunk = 296;
  config.ts_thread_id = 152;
  config.cframe_current = 8;
  config.cframe_previous = 16;
  config.frame_code = 32;
  config.frame_previous = 48;
  config.frame_ip = 56;
  config.frame_owner = 69;
  config.frame_is_entry = 68;
  config.owner_entry = kNoMember;
  return with_code(with_text(config, 48, 72), 72, 184);
}

constexpr Config config_312() {
  Config config{};
  config.version = 0x30c;
  config.ts_interp = 16;
  config.ts_frame = 56;  // cframe
  config.ts_chunk = 232;
  config.ts_thread_id = 136;
  config.cframe_current = 0;
  config.cframe_previous = 8;
  config.frame_code = 0;
  config.frame_previous = 8;
  config.frame_ip = 56;
  config.frame_owner = 70;
  config.frame_is_entry = kNoMember;
  config.owner_entry = 3;
  config.ts_gil = 24;  // _status.active
  config.gil_held_mask = 1 << 4;
  return with_code(with_text(config, 40, 56), 68, 192);
}

const std::array<VersionRow, 2> kRows{{
    {.version = 0x30b,
     .runtime_key = 592,
     .runtime_current = 576,
     .config = config_311(),
     .runtime = {40, 0, 16, 888, 8, 160, 872, AttributeStorage::kTwoPointers, 48, 848}},
    {.version = 0x30c,
     .runtime_key = 1544,
     .config = config_312(),
     .runtime = {40, 0, 72, 944, 8, 144, 880, AttributeStorage::kTaggedPointer, 8, 312}},
}};

uint64_t u64_at(std::span<const uint8_t> bytes, std::size_t at) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

// False = not an offset that such a struct can have.
template <typename Struct>
bool take_offsets(std::span<const uint8_t> debug, std::span<const DebugMember<Struct>> members,
                  Struct& into) {
  return std::all_of(members.begin(), members.end(), [&](const DebugMember<Struct>& member) {
    const uint64_t offset = u64_at(debug, member.position);
    into.*member.member = static_cast<uint16_t>(offset);
    return offset < kMaxOffset;
  });
}

bool fits_kernel_reads(const Config& config) {
  const auto in_thread = [&](uint16_t at) { return at + 8 <= config.ts_chunk + 24 && at % 8 == 0; };
  const auto in_frame = [](uint16_t at) { return at + 8 <= kFrameBytes && at % 8 == 0; };
  const auto in_code = [&](uint16_t at, uint16_t bytes) {
    return at >= config.code_flags && at + bytes <= config.code_flags + kCodeHeadBytes &&
           at % bytes == 0;
  };
  const auto in_word = [&](uint16_t at) { return at + 4 <= config.ts_chunk + 24 && at % 4 == 0; };
  const bool copies_fit = config.chain != WIRE_PY_CHAIN_COPIES ||
                          (in_frame(config.frame_copy) && config.code_copies % 8 == 0);
  return config.ts_chunk + 24 <= kThreadStateBytes && in_word(config.ts_gil) &&
         in_word(config.ts_gil_wanted) && in_word(config.ts_attached) && copies_fit &&
         in_thread(config.ts_interp) && in_thread(config.ts_frame) && in_thread(config.ts_chunk) &&
         in_thread(config.ts_thread_id) && in_frame(config.frame_code) &&
         in_frame(config.frame_previous) && in_frame(config.frame_ip) &&
         config.frame_owner < kFrameBytes && in_code(config.code_first_line, 4) &&
         in_code(config.code_filename, 8) && in_code(config.code_qualname, 8) &&
         in_code(config.code_linetable, 8);
}

Error bad_offsets(const VersionRow& row) {
  return Error{"CPython " + std::to_string(row.version >> 8) + "." +
               std::to_string(row.version & 0xff) +
               ": its debug offsets are not those of a known build"};
}

}  // namespace

const VersionRow* find_version(uint16_t version, uint64_t runtime_bytes, bool free_threaded) {
  for (const std::span<const VersionRow> rows : {std::span<const VersionRow>(kRows), debug_rows()})
    for (const VersionRow& row : rows)
      if (row.version == version && row.free_threaded == free_threaded) return &row;
  const VersionRow* found = nullptr;
  for (const VersionRow& legacy : legacy_rows()) {
    if (legacy.version != version || free_threaded) continue;
    if (!runtime_bytes || !legacy.runtime_bytes || runtime_bytes == legacy.runtime_bytes)
      found = &legacy;
  }
  return found;
}

uint16_t version_of_runtime(uint64_t runtime_bytes) {
  const auto rows = legacy_rows();
  const auto row = std::find_if(rows.begin(), rows.end(), [runtime_bytes](const VersionRow& r) {
    return r.runtime_bytes && r.runtime_bytes == runtime_bytes;
  });
  return row == rows.end() ? 0 : row->version;
}

bool read_debug_head(std::span<const uint8_t> runtime, DebugHead& head) {
  constexpr std::size_t kHeadBytes = 24;
  constexpr std::size_t kCookieBytes = sizeof(kCookie) - 1;
  if (runtime.size() < kHeadBytes || std::memcmp(runtime.data(), kCookie, kCookieBytes) != 0)
    return false;
  head.version_hex = u64_at(runtime, 8);
  head.free_threaded = u64_at(runtime, 16) != 0;
  return head.version_hex >> 24 == 3;
}

Result<VersionRow> with_debug_offsets(const VersionRow& row, std::span<const uint8_t> runtime) {
  if (runtime.size() < row.debug_bytes) return bad_offsets(row);
  VersionRow filled = row;
  if (!take_offsets(runtime, row.debug_config, filled.config) ||
      !take_offsets(runtime, row.debug_runtime, filled.runtime))
    return bad_offsets(row);
  filled.config.ts_gil = static_cast<uint16_t>(filled.config.ts_gil + row.gil_after_status);
  if (row.state_after_gil)
    filled.config.ts_attached = static_cast<uint16_t>(filled.config.ts_gil + row.state_after_gil);
  const uint16_t head_bytes = row.free_threaded ? 32 : 16;  // of an object with a size
  if (!fits_kernel_reads(filled.config) || filled.config.str_length != head_bytes)
    return bad_offsets(row);
  if (row.debug_gc) {
    const uint64_t gc = u64_at(runtime, row.debug_gc);
    const uint64_t collecting = u64_at(runtime, row.debug_gc_collecting);
    if (gc >= kMaxOffset || collecting >= kMaxOffset) return bad_offsets(row);
    filled.runtime.interp_gc_collecting = static_cast<uint16_t>(gc + collecting);
  }
  if (row.debug_code_generation) {
    const uint64_t generation = u64_at(runtime, row.debug_code_generation);
    if (generation >= kMaxOffset || generation % 8 != 0) return bad_offsets(row);
    filled.config.stamp_offset = static_cast<uint32_t>(generation);
  }
  return filled;
}

std::string version_text(uint64_t version_hex) {
  const auto part = [version_hex](unsigned shift) {
    return std::to_string(version_hex >> shift & 0xff);
  };
  std::string text = part(24) + "." + part(16) + "." + part(8);
  const uint64_t level = version_hex >> 4 & 15;
  if (level == 0xf) return text;
  text += level == 0xa ? "a" : level == 0xb ? "b" : "rc";
  return text + std::to_string(version_hex & 15);
}

}  // namespace pyprof::python
