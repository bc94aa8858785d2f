// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

struct ZydisDecodedInstruction_;
struct ZydisDecodedOperand_;

// What one instruction after the other does to a function's frame: where the CFA is, relative to
// rsp or rbp, and where the caller's rbp was saved.
namespace pyprof::elf {

class FrameState {
 public:
  // Before a function's first instruction.
  static FrameState at_entry() { return {}; }

  // Of a function that nobody called.
  static FrameState at_root();

  // Takes an instruction's effect in. Jumps have none.
  void apply(const ZydisDecodedInstruction_& instruction, const ZydisDecodedOperand_* operands);

  // The rule of wire.h for the next instruction; WIRE_RULE_NONE where it can't be told.
  [[nodiscard]] uint32_t rule() const;
  // Distance of rsp below the CFA in bytes, 0 = not known.
  [[nodiscard]] int64_t depth() const { return rsp_known_ ? rsp_offset_ : 0; }

 private:
  void push(const ZydisDecodedOperand_& operand);
  void pop(const ZydisDecodedOperand_& operand);
  void move(const ZydisDecodedOperand_& to, const ZydisDecodedOperand_& from);
  void load_address(const ZydisDecodedOperand_& to, const ZydisDecodedOperand_& from);
  void add_to_rsp(const ZydisDecodedOperand_& amount, int64_t sign);
  void leave();
  void clear_register(const ZydisDecodedOperand_& to);
  void write_other(const ZydisDecodedOperand_& to);
  void set_rsp(int64_t offset);

  int64_t rsp_offset_ = 8;  // CFA - rsp
  int64_t rbp_offset_ = 0;  // CFA - rbp, if framed_
  int64_t rbp_saved_ = 0;   // CFA - address of the caller's rbp, 0 = still in rbp
  bool rsp_known_ = true;
  bool framed_ = false;  // rbp is a frame pointer
  bool root_ = false;    // rbp was cleared although nobody saved it: the outermost function
};

}  // namespace pyprof::elf
