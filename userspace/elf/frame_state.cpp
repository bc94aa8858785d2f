// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/frame_state.h"

#include <Zydis/Zydis.h>

#include "userspace/elf/cfi_rule.h"

namespace pyprof::elf {
namespace {

constexpr int64_t kMaxOffset = 65'528;  // bytes: what a rule's 14 signed bits of 8 can say
constexpr int64_t kMaxSaved = 62 * 8;   // bytes: kRbpAtRbp is 63
constexpr int64_t kWord = 8;

bool is_register(const ZydisDecodedOperand& operand, ZydisRegister which) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
         ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand.reg.value) == which;
}

// [base + displacement] and nothing else.
bool is_memory(const ZydisDecodedOperand& operand, ZydisRegister base) {
  return operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.base == base &&
         operand.mem.index == ZYDIS_REGISTER_NONE;
}

bool writes(const ZydisDecodedOperand& operand) {
  return (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
}

}  // namespace

FrameState FrameState::at_root() {
  FrameState state;
  state.root_ = true;
  return state;
}

void FrameState::apply(const ZydisDecodedInstruction& instruction,
                       const ZydisDecodedOperand* operands) {
  switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_PUSHFQ:
      return push(operands[0]);
    case ZYDIS_MNEMONIC_POP:
    case ZYDIS_MNEMONIC_POPFQ:
      return pop(operands[0]);
    case ZYDIS_MNEMONIC_MOV:
      return move(operands[0], operands[1]);
    case ZYDIS_MNEMONIC_LEA:
      return load_address(operands[0], operands[1]);
    case ZYDIS_MNEMONIC_LEAVE:
      return leave();
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_ADD:
      if (is_register(operands[0], ZYDIS_REGISTER_RSP))
        return add_to_rsp(operands[1], instruction.mnemonic == ZYDIS_MNEMONIC_SUB ? 1 : -1);
      break;
    case ZYDIS_MNEMONIC_XOR:
      if (is_register(operands[0], ZYDIS_REGISTER_RBP) &&
          operands[0].reg.value == operands[1].reg.value)
        return clear_register(operands[0]);
      break;
    case ZYDIS_MNEMONIC_CALL:
    case ZYDIS_MNEMONIC_RET:
    case ZYDIS_MNEMONIC_SYSCALL:
      return;
    default:
      break;
  }
  for (uint8_t i = 0; i < instruction.operand_count; i++) {
    if (writes(operands[i])) write_other(operands[i]);
  }
}

uint32_t FrameState::rule() const {
  constexpr uint32_t kNone = make_rule(WIRE_RULE_NONE);
  if (root_) return make_rule(WIRE_RULE_STOP);
  const bool by_rsp = rsp_known_;
  const int64_t offset = by_rsp ? rsp_offset_ : rbp_offset_;
  if ((!by_rsp && !framed_) || offset < kWord || offset > kMaxOffset || offset % kWord != 0)
    return kNone;
  if (rbp_saved_ < 0 || rbp_saved_ > kMaxSaved || rbp_saved_ % kWord != 0) return kNone;
  return make_rule(by_rsp ? WIRE_RULE_RSP : WIRE_RULE_RBP, static_cast<int32_t>(offset / kWord),
                   static_cast<uint32_t>(rbp_saved_ / kWord));
}

void FrameState::push(const ZydisDecodedOperand& operand) {
  rsp_offset_ += kWord;
  if (rsp_known_ && rbp_saved_ == 0 && is_register(operand, ZYDIS_REGISTER_RBP))
    rbp_saved_ = rsp_offset_;
}

void FrameState::pop(const ZydisDecodedOperand& operand) {
  const int64_t slot = rsp_offset_;
  rsp_offset_ -= kWord;
  if (is_register(operand, ZYDIS_REGISTER_RSP)) rsp_known_ = false;
  if (!is_register(operand, ZYDIS_REGISTER_RBP)) return;
  if (slot == rbp_saved_) rbp_saved_ = 0;
  framed_ = false;
}

void FrameState::move(const ZydisDecodedOperand& to, const ZydisDecodedOperand& from) {
  if (is_register(to, ZYDIS_REGISTER_RBP)) {
    framed_ = is_register(from, ZYDIS_REGISTER_RSP) && rsp_known_;
    if (framed_) rbp_offset_ = rsp_offset_;
    const bool restored = is_memory(from, ZYDIS_REGISTER_RSP) && rsp_known_ && rbp_saved_ != 0 &&
                          rsp_offset_ - from.mem.disp.value == rbp_saved_;
    if (restored) rbp_saved_ = 0;
  } else if (is_register(to, ZYDIS_REGISTER_RSP)) {
    rsp_known_ = is_register(from, ZYDIS_REGISTER_RBP) && framed_;
    if (rsp_known_) rsp_offset_ = rbp_offset_;
  } else if (is_memory(to, ZYDIS_REGISTER_RSP) && is_register(from, ZYDIS_REGISTER_RBP) &&
             rbp_saved_ == 0 && rsp_known_ && !framed_) {
    rbp_saved_ = rsp_offset_ - to.mem.disp.value;
  }
}

void FrameState::load_address(const ZydisDecodedOperand& to, const ZydisDecodedOperand& from) {
  if (is_register(to, ZYDIS_REGISTER_RSP)) {
    if (is_memory(from, ZYDIS_REGISTER_RSP)) return set_rsp(rsp_offset_ - from.mem.disp.value);
    rsp_known_ = is_memory(from, ZYDIS_REGISTER_RBP) && framed_;
    if (rsp_known_) set_rsp(rbp_offset_ - from.mem.disp.value);
  } else if (is_register(to, ZYDIS_REGISTER_RBP)) {
    framed_ = is_memory(from, ZYDIS_REGISTER_RSP) && rsp_known_ && rbp_saved_ != 0;
    if (framed_) rbp_offset_ = rsp_offset_ - from.mem.disp.value;
  }
}

void FrameState::add_to_rsp(const ZydisDecodedOperand& amount, int64_t sign) {
  if (amount.type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
    set_rsp(rsp_offset_ + sign * amount.imm.value.s);
  else
    rsp_known_ = false;
}

void FrameState::leave() {
  rsp_known_ = framed_;
  if (framed_) set_rsp(rbp_offset_ - kWord);
  framed_ = false;
  rbp_saved_ = 0;
}

// Compiled code saves rbp before it uses it; only where there is no caller it doesn't (psABI: the
// outermost frame has rbp 0).
void FrameState::clear_register(const ZydisDecodedOperand& to) {
  if (rbp_saved_ == 0) root_ = true;
  write_other(to);
}

void FrameState::write_other(const ZydisDecodedOperand& to) {
  if (is_register(to, ZYDIS_REGISTER_RSP)) rsp_known_ = false;
  if (is_register(to, ZYDIS_REGISTER_RBP)) framed_ = false;
}

void FrameState::set_rsp(int64_t offset) {
  rsp_offset_ = offset;
}

}  // namespace pyprof::elf
