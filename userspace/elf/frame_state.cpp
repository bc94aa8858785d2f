// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/frame_state.h"

#include <Zydis/Zydis.h>

#include "userspace/elf/cfi_rule.h"

namespace pyprof::elf {
namespace {

using Kind = FrameEffect::Kind;

constexpr int32_t kMaxOffset = 65'528;  // bytes: what a rule's 14 signed bits of 8 can say
constexpr int32_t kMaxSaved = 62 * 8;   // bytes: kRbpAtRbp is 63
constexpr int32_t kWord = 8;

int32_t wrapped(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
int32_t minus(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b));
}

bool is_register(const ZydisDecodedOperand& operand, ZydisRegister which) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
         ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand.reg.value) == which;
}

// [base + displacement] and nothing else.
bool is_memory(const ZydisDecodedOperand& operand, ZydisRegister base) {
  return operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.base == base &&
         operand.mem.index == ZYDIS_REGISTER_NONE;
}

int32_t displacement(const ZydisDecodedOperand& operand) {
  return static_cast<int32_t>(operand.mem.disp.value);
}

FrameEffect written(const ZydisDecodedInstruction& instruction,
                    const ZydisDecodedOperand* operands) {
  FrameEffect effect;
  for (uint8_t i = 0; i < instruction.operand_count; i++) {
    if ((operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0) continue;
    if (is_register(operands[i], ZYDIS_REGISTER_RSP)) return {Kind::kWriteRsp, 0};
    if (is_register(operands[i], ZYDIS_REGISTER_RBP)) effect.kind = Kind::kWriteRbp;
  }
  return effect;
}

FrameEffect added(const ZydisDecodedInstruction& instruction, const ZydisDecodedOperand* operands) {
  if (!is_register(operands[0], ZYDIS_REGISTER_RSP)) return written(instruction, operands);
  if (operands[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE) return {Kind::kWriteRsp, 0};
  const auto amount = static_cast<int32_t>(operands[1].imm.value.s);
  const bool down = instruction.mnemonic == ZYDIS_MNEMONIC_SUB;
  return {Kind::kAddToRsp, down ? minus(0, amount) : amount};
}

FrameEffect moved(const ZydisDecodedInstruction& instruction, const ZydisDecodedOperand* operands) {
  const ZydisDecodedOperand &to = operands[0], &from = operands[1];
  if (is_register(to, ZYDIS_REGISTER_RBP)) {
    if (is_register(from, ZYDIS_REGISTER_RSP)) return {Kind::kRbpFromRsp, 0};
    if (is_memory(from, ZYDIS_REGISTER_RSP)) return {Kind::kLoadRbp, displacement(from)};
  } else if (is_register(to, ZYDIS_REGISTER_RSP)) {
    if (is_register(from, ZYDIS_REGISTER_RBP)) return {Kind::kRspFromRbp, 0};
  } else if (is_memory(to, ZYDIS_REGISTER_RSP) && is_register(from, ZYDIS_REGISTER_RBP)) {
    return {Kind::kStoreRbp, displacement(to)};
  }
  return written(instruction, operands);
}

FrameEffect address_taken(const ZydisDecodedInstruction& instruction,
                          const ZydisDecodedOperand* operands) {
  const ZydisDecodedOperand &to = operands[0], &from = operands[1];
  if (is_register(to, ZYDIS_REGISTER_RSP)) {
    if (is_memory(from, ZYDIS_REGISTER_RSP)) return {Kind::kAddToRsp, displacement(from)};
    if (is_memory(from, ZYDIS_REGISTER_RBP)) return {Kind::kRspFromRbp, displacement(from)};
  } else if (is_register(to, ZYDIS_REGISTER_RBP) && is_memory(from, ZYDIS_REGISTER_RSP)) {
    return {Kind::kRbpFromRsp, displacement(from)};
  }
  return written(instruction, operands);
}

}  // namespace

FrameEffect frame_effect(const ZydisDecodedInstruction& instruction,
                         const ZydisDecodedOperand* operands) {
  switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
      return {is_register(operands[0], ZYDIS_REGISTER_RBP) ? Kind::kPushRbp : Kind::kPush, 0};
    case ZYDIS_MNEMONIC_PUSHFQ:
      return {Kind::kPush, 0};
    case ZYDIS_MNEMONIC_POP:
      if (is_register(operands[0], ZYDIS_REGISTER_RSP)) return {Kind::kWriteRsp, 0};
      return {is_register(operands[0], ZYDIS_REGISTER_RBP) ? Kind::kPopRbp : Kind::kPop, 0};
    case ZYDIS_MNEMONIC_POPFQ:
      return {Kind::kPop, 0};
    case ZYDIS_MNEMONIC_MOV:
      return moved(instruction, operands);
    case ZYDIS_MNEMONIC_LEA:
      return address_taken(instruction, operands);
    case ZYDIS_MNEMONIC_LEAVE:
      return {Kind::kLeave, 0};
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_ADD:
      return added(instruction, operands);
    case ZYDIS_MNEMONIC_XOR:
      if (is_register(operands[0], ZYDIS_REGISTER_RBP) &&
          is_register(operands[1], ZYDIS_REGISTER_RBP))
        return {Kind::kClearRbp, 0};
      break;
    case ZYDIS_MNEMONIC_CALL:
    case ZYDIS_MNEMONIC_RET:
    case ZYDIS_MNEMONIC_SYSCALL:
      return {};
    default:
      break;
  }
  return written(instruction, operands);
}

FrameState FrameState::at_root() {
  FrameState state;
  state.root_ = true;
  return state;
}

void FrameState::apply(const FrameEffect& effect) {
  switch (effect.kind) {
    case Kind::kNone:
      return;
    case Kind::kPush:
    case Kind::kPushRbp:
      return push(effect.kind == Kind::kPushRbp);
    case Kind::kPop:
    case Kind::kPopRbp:
      return pop(effect.kind == Kind::kPopRbp);
    case Kind::kAddToRsp:
      rsp_offset_ = minus(rsp_offset_, effect.value);
      return;
    case Kind::kRbpFromRsp:
      return frame(effect.value);
    case Kind::kRspFromRbp:
      return unframe(effect.value);
    case Kind::kStoreRbp:
      if (rbp_saved_ == 0 && rsp_known_ && !framed_) rbp_saved_ = minus(rsp_offset_, effect.value);
      return;
    case Kind::kLoadRbp:
      return load(effect.value);
    case Kind::kLeave:
      unframe(0);
      return pop(true);
    case Kind::kClearRbp:
      return clear();
    case Kind::kWriteRbp:
      framed_ = false;
      return;
    case Kind::kWriteRsp:
      rsp_known_ = false;
      return;
  }
}

uint32_t FrameState::rule() const {
  constexpr uint32_t kNone = make_rule(WIRE_RULE_NONE);
  if (root_) return make_rule(WIRE_RULE_STOP);
  const int32_t offset = rsp_known_ ? rsp_offset_ : rbp_offset_;
  if ((!rsp_known_ && !framed_) || offset < kWord || offset > kMaxOffset || offset % kWord != 0)
    return kNone;
  if (rbp_saved_ < 0 || rbp_saved_ > kMaxSaved || rbp_saved_ % kWord != 0) return kNone;
  return make_rule(rsp_known_ ? WIRE_RULE_RSP : WIRE_RULE_RBP, offset / kWord,
                   static_cast<uint32_t>(rbp_saved_ / kWord));
}

void FrameState::push(bool rbp) {
  rsp_offset_ = wrapped(rsp_offset_, kWord);
  if (rbp && rsp_known_ && rbp_saved_ == 0) rbp_saved_ = rsp_offset_;
}

// What is popped from another slot is only dropped.
void FrameState::pop(bool rbp) {
  if (rbp && rsp_offset_ == rbp_saved_) rbp_saved_ = 0;
  if (rbp) framed_ = false;
  rsp_offset_ = minus(rsp_offset_, kWord);
}

// Only who saved the caller's rbp has a frame pointer.
void FrameState::frame(int32_t value) {
  framed_ = rsp_known_ && (value == 0 || rbp_saved_ != 0);
  if (framed_) rbp_offset_ = minus(rsp_offset_, value);
}

void FrameState::unframe(int32_t value) {
  rsp_known_ = framed_;
  if (framed_) rsp_offset_ = minus(rbp_offset_, value);
}

void FrameState::load(int32_t value) {
  framed_ = false;
  if (rsp_known_ && rbp_saved_ == minus(rsp_offset_, value)) rbp_saved_ = 0;
}

// Compiled code saves rbp before it uses it; only where there is no caller it doesn't (psABI: the
// outermost frame has rbp 0).
void FrameState::clear() {
  if (rbp_saved_ == 0) root_ = true;
  framed_ = false;
}

}  // namespace pyprof::elf
