// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/stacks.h"

#include <algorithm>
#include <unordered_map>

#include "userspace/python/code_object.h"
#include "userspace/python/line_table.h"

namespace pyprof::python {
namespace {

constexpr std::size_t kMaxThreads = 4'096;
constexpr std::size_t kMaxInterpreters = 64;
constexpr int kAttempts = 4;
constexpr uint32_t kMaxReads = 4'000'000;
constexpr uint64_t kMaxBytes = uint64_t{512} << 20;

// A frame as it was found; two equal walks say that the thread did not move meanwhile.
struct Place {
  uint64_t frame = 0;
  uint64_t code = 0;
  int32_t lasti = 0;
  bool operator==(const Place&) const = default;
};

struct Walk {
  std::vector<Place> places;
  bool whole = true;
  bool operator==(const Walk&) const = default;
};

class StackReader {
 public:
  StackReader(const Memory& memory, const wire_python_config& config, const RuntimeOffsets& offsets,
              const std::optional<ValueLimits>& locals)
      : memory_(memory), config_(config), offsets_(offsets), locals_(locals) {}

  void add_interpreter(uint64_t interpreter, std::vector<ThreadStack>& stacks) {
    uint64_t thread = 0;
    int64_t id = -1;
    if (offsets_.interp_id != 0 && !memory_.read_value(interpreter + offsets_.interp_id, id))
      id = -1;
    if (!memory_.read_value(interpreter + threads_offset(), thread)) return;
    while (thread != 0 && stacks.size() < kMaxThreads) {
      ThreadStack stack = read_thread(thread);
      stack.interpreter = id;
      if (!stack.frames.empty()) stacks.push_back(std::move(stack));
      if (!memory_.read_value(thread + next_offset(), thread)) return;
    }
  }

 private:
  // Up to 3.10 both are known to the kernel side, too, for its search in that list.
  [[nodiscard]] uint16_t threads_offset() const {
    return offsets_.interp_threads != 0 ? offsets_.interp_threads : config_.interp_threads;
  }
  [[nodiscard]] uint16_t next_offset() const {
    return offsets_.thread_next != 0 || offsets_.thread_native_id != 0 ? offsets_.thread_next
                                                                       : config_.ts_next;
  }

  ThreadStack read_thread(uint64_t thread) {
    Walk walk = walk_frames(thread);
    bool stable = false;
    for (int attempt = 1; attempt < kAttempts && !stable; ++attempt) {
      Walk again = walk_frames(thread);
      stable = again == walk;
      walk = std::move(again);
    }
    ThreadStack stack;
    stack.tid = native_id(thread);
    stack.whole = walk.whole;
    stack.stable = stable;
    for (const Place& place : walk.places) {
      stack.frames.push_back(name(place));
      if (!locals_ || stack.frames.size() > kMaxFramesWithLocals) continue;
      stack.frames.back().locals =
          read_locals(memory_, config_, offsets_, *locals_, place.frame, place.code);
    }
    return stack;
  }

  [[nodiscard]] int32_t native_id(uint64_t thread) const {
    uint64_t identity = 0;
    if (offsets_.thread_native_id != 0) {
      const bool read = memory_.read_value(thread + offsets_.thread_native_id, identity);
      return read && identity <= INT32_MAX ? static_cast<int32_t>(identity) : 0;
    }
    int32_t id = 0;
    if (offsets_.pthread_tid == 0 || !memory_.read_value(thread + config_.ts_thread_id, identity) ||
        !memory_.read_value(identity + offsets_.pthread_tid, id)) {
      return 0;
    }
    return std::max(id, 0);
  }

  [[nodiscard]] Walk walk_frames(uint64_t thread) const {
    Walk walk;
    uint64_t frame = 0;
    walk.whole = first_frame(thread, frame);
    while (walk.whole && frame != 0) {
      if (walk.places.size() >= kMaxStackFrames) {
        walk.whole = false;
        break;
      }
      uint64_t previous = 0;
      walk.whole = memory_.read_value(frame + config_.frame_previous, previous) &&
                   add_place(frame, walk.places);
      frame = previous;
    }
    return walk;
  }

  bool first_frame(uint64_t thread, uint64_t& frame) const {
    uint64_t holder = thread + config_.ts_frame;
    if (config_.cframe_current != 0xffff) {
      if (!memory_.read_value(holder, holder)) return false;
      if (holder == 0) return true;
      holder += config_.cframe_current;
    }
    return memory_.read_value(holder, frame);
  }

  bool add_place(uint64_t frame, std::vector<Place>& places) const {
    if (config_.owner_entry != 0xffff) {
      uint8_t owner = 0;
      if (!memory_.read_value(frame + config_.frame_owner, owner)) return false;
      if (owner >= config_.owner_entry) return true;
    }
    Place place{frame, 0, 0};
    if (!memory_.read_value(frame + config_.frame_code, place.code)) return false;
    place.code &= ~uint64_t{config_.code_tag_mask};
    if (!read_lasti(frame, place)) return false;
    places.push_back(place);
    return true;
  }

  bool read_lasti(uint64_t frame, Place& place) const {
    if (config_.version < 0x30b) {
      if (!memory_.read_value(frame + config_.frame_ip, place.lasti)) return false;
      if (place.lasti > 0) place.lasti *= 1 << config_.lasti_shift;
      return true;
    }
    uint64_t ip = 0;
    uint64_t base = place.code + config_.code_bytes;
    if (!memory_.read_value(frame + config_.frame_ip, ip)) return false;
    if (config_.chain == WIRE_PY_CHAIN_COPIES && !copy_base(frame, place.code, base)) return false;
    place.lasti = static_cast<int32_t>(ip - base);
    return true;
  }

  // Copy 0 is the original.
  bool copy_base(uint64_t frame, uint64_t code, uint64_t& base) const {
    int32_t number = 0;
    uint64_t copies = 0, count = 0;
    if (!memory_.read_value(frame + config_.frame_copy, number)) return false;
    if (number == 0) return true;
    return memory_.read_value(code + config_.code_copies, copies) &&
           memory_.read_value(copies, count) && number > 0 &&
           static_cast<uint64_t>(number) < count &&
           memory_.read_value(copies + 8 + 8 * static_cast<uint64_t>(number), base);
  }

  StackFrame name(const Place& place) {
    const auto [at, is_new] = codes_.try_emplace(place.code);
    if (is_new) {
      if (auto code = read_code(memory_, config_, place.code)) at->second = *std::move(code);
    }
    const model::CodeObject& code = at->second;
    return {code.qualname,
            code.filename,
            line_of(code.line_table, code.first_line, place.lasti, config_.version),
            code.first_line,
            {}};
  }

  const Memory& memory_;
  const wire_python_config& config_;
  const RuntimeOffsets& offsets_;
  const std::optional<ValueLimits>& locals_;
  std::unordered_map<uint64_t, model::CodeObject> codes_;
};

}  // namespace

Result<std::vector<ThreadStack>> read_stacks(const Memory& memory, const wire_python_config& config,
                                             const RuntimeOffsets& offsets,
                                             uint64_t runtime_address,
                                             const std::optional<ValueLimits>& locals) {
  const BoundedMemory bounded(memory, kMaxReads, kMaxBytes);
  StackReader reader(bounded, config, offsets, locals);
  std::vector<ThreadStack> stacks;
  uint64_t interpreter = 0;
  if (!memory.read_value(runtime_address + offsets.interpreters_head, interpreter))
    return Error{"Python runtime: not readable; has the process ended?"};
  for (std::size_t i = 0; interpreter != 0 && i < kMaxInterpreters; ++i) {
    reader.add_interpreter(interpreter, stacks);
    if (!bounded.read_value(interpreter + offsets.interp_next, interpreter)) break;
  }
  return stacks;
}

}  // namespace pyprof::python
