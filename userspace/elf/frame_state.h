// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

struct ZydisDecodedInstruction_;
struct ZydisDecodedOperand_;

// What one instruction after the other does to a function's frame: where the CFA is, relative to
// rsp or rbp, and where the caller's rbp was saved.
namespace pyprof::elf {

// What an instruction does to rsp and rbp.
struct FrameEffect {
  enum class Kind : uint8_t {
    kNone,
    kPush,
    kPushRbp,
    kPop,
    kPopRbp,
    kAddToRsp,    // rsp += value
    kRbpFromRsp,  // rbp = rsp + value
    kRspFromRbp,  // rsp = rbp + value
    kStoreRbp,    // [rsp + value] = rbp
    kLoadRbp,     // rbp = [rsp + value]
    kLeave,
    kClearRbp,
    kWriteRbp,  // to anything else
    kWriteRsp,
  };
  Kind kind = Kind::kNone;
  int32_t value = 0;
};

// Jumps, calls and returns have none: the frame is the same on both sides.
FrameEffect frame_effect(const ZydisDecodedInstruction_& instruction,
                         const ZydisDecodedOperand_* operands);

class FrameState {
 public:
  // Before a function's first instruction.
  static FrameState at_entry() { return {}; }
  // Of a function that nobody called.
  static FrameState at_root();

  void apply(const FrameEffect& effect);

  // The rule of wire.h for the next instruction; WIRE_RULE_NONE where it can't be told.
  [[nodiscard]] uint32_t rule() const;
  // Distance of rsp below the CFA in bytes, 0 = not known.
  [[nodiscard]] int32_t depth() const { return rsp_known_ ? rsp_offset_ : 0; }

 private:
  void push(bool rbp);
  void pop(bool rbp);
  void frame(int32_t value);
  void unframe(int32_t value);
  void load(int32_t value);
  void clear();

  // Bytes, modulo 2^32: hostile code may add up to anything.
  int32_t rsp_offset_ = 8;  // CFA - rsp
  int32_t rbp_offset_ = 0;  // CFA - rbp, if framed_
  int32_t rbp_saved_ = 0;   // CFA - address of the caller's rbp, 0 = still in rbp
  bool rsp_known_ = true;
  bool framed_ = false;  // rbp is a frame pointer
  bool root_ = false;    // rbp was cleared although nobody saved it: the outermost function
};

}  // namespace pyprof::elf
