// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/cfi_rule.h"

#include <dwarf.h>

#include <algorithm>
#include <array>
#include <optional>

namespace pyprof::elf {
namespace {

using Kind = CfiRegister::Kind;

constexpr uint32_t kOther = make_rule(WIRE_RULE_OTHER);
constexpr int64_t kMaxOffsetUnits = (1 << 21) - 1;
// Where rt_sigreturn's frame keeps the interrupted rsp, from its own rsp: the kernel's layout.
constexpr int64_t kSignalRspOffset = 160;

// The linker's expression for PLT entries: rsp + 8 + ((rip & 15) >= N) * 8, N at kPltThreshold.
constexpr std::array<uint8_t, 11> kPltExpression = {DW_OP_breg7, 8,         DW_OP_breg16, 0,
                                                    DW_OP_lit15, DW_OP_and, DW_OP_lit0,   DW_OP_ge,
                                                    DW_OP_lit3,  DW_OP_shl, DW_OP_plus};
constexpr std::size_t kPltThreshold = 6;

// register + offset, as an address or as the address of a pointer to it.
struct SimpleExpression {
  uint64_t number = 0;
  int64_t offset = 0;
  bool deref = false;
};

std::optional<SimpleExpression> parse_simple(std::span<const uint8_t> expression) {
  ByteReader reader(expression);
  SimpleExpression simple;
  const auto opcode = reader.read<uint8_t>();
  if (opcode < DW_OP_breg0 || opcode > DW_OP_breg31) return std::nullopt;
  simple.number = opcode - DW_OP_breg0;
  simple.offset = reader.sleb();
  if (!reader.at_end()) {
    if (reader.read<uint8_t>() != DW_OP_deref) return std::nullopt;
    simple.deref = true;
  }
  return !reader.failed() && reader.at_end() ? std::optional(simple) : std::nullopt;
}

std::optional<int32_t> plt_threshold(std::span<const uint8_t> expression) {
  if (expression.size() != kPltExpression.size()) return std::nullopt;
  const uint8_t literal = expression[kPltThreshold];
  if (literal < DW_OP_lit0 || literal > DW_OP_lit15) return std::nullopt;
  auto pattern = kPltExpression;
  pattern[kPltThreshold] = literal;
  if (!std::equal(pattern.begin(), pattern.end(), expression.begin())) return std::nullopt;
  return literal - DW_OP_lit0;
}

uint32_t other(Unsupported& unsupported, const char* why) {
  unsupported[why]++;
  return kOther;
}

bool is_signal_frame(const CfiState& state) {
  const auto simple = parse_simple(state.cfa_expression);
  return simple && simple->deref && simple->number == dwarf_register::kRsp &&
         simple->offset == kSignalRspOffset;
}

// Units of 8 below the CFA, kRbpNotSaved or kRbpAtRbp; none if it can't be expressed.
std::optional<uint32_t> saved_rbp_units(const CfiRegister& rbp) {
  switch (rbp.kind) {
    case Kind::kUnset:
    case Kind::kSame:
    case Kind::kUndefined:  // the caller can't rely on it either
      return kRbpNotSaved;
    case Kind::kOffset: {
      const int64_t below = rbp.offset > -512 && rbp.offset < 0 ? -rbp.offset : 0;
      if (below == 0 || below % 8 != 0 || below / 8 >= kRbpAtRbp) return std::nullopt;
      return static_cast<uint32_t>(below / 8);
    }
    case Kind::kExpression: {
      const auto simple = parse_simple(rbp.expression);
      const bool at_rbp =
          simple && !simple->deref && simple->offset == 0 && simple->number == dwarf_register::kRbp;
      return at_rbp ? std::optional(kRbpAtRbp) : std::nullopt;
    }
    case Kind::kOther:
      break;
  }
  return std::nullopt;
}

uint32_t register_rule(uint64_t number, int64_t offset, bool deref, uint32_t saved_rbp,
                       Unsupported& unsupported) {
  if (offset % 8 != 0) return other(unsupported, "cfa_offset_unaligned");
  const int64_t units = offset / 8;
  if (units > kMaxOffsetUnits || units < -kMaxOffsetUnits - 1) {
    return other(unsupported, "cfa_offset_large");
  }
  const auto field = static_cast<int32_t>(units);
  if (number == dwarf_register::kRbp) {
    return make_rule(deref ? WIRE_RULE_RBP_DEREF : WIRE_RULE_RBP, field, saved_rbp);
  }
  if (number == dwarf_register::kRsp && !deref) return make_rule(WIRE_RULE_RSP, field, saved_rbp);
  return other(unsupported, deref ? "cfa_expression" : "cfa_register");
}

}  // namespace

uint32_t rule_of(const CfiState& state, bool signal_frame, Unsupported& unsupported) {
  if (state.return_address.kind == Kind::kUndefined) return make_rule(WIRE_RULE_STOP);
  if (signal_frame && is_signal_frame(state)) return make_rule(WIRE_RULE_SIGNAL);
  if (state.return_address.kind != Kind::kOffset || state.return_address.offset != -8) {
    return other(unsupported, "return_address");
  }
  if (state.rsp.kind != Kind::kUnset && state.rsp.kind != Kind::kSame) {
    return other(unsupported, "saved_rsp");
  }
  const auto saved_rbp = saved_rbp_units(state.rbp);
  if (!saved_rbp) return other(unsupported, "saved_rbp");
  if (state.cfa_expression.empty()) {
    return register_rule(state.cfa_register, state.cfa_offset, false, *saved_rbp, unsupported);
  }
  if (const auto threshold = plt_threshold(state.cfa_expression)) {
    return make_rule(WIRE_RULE_PLT, *threshold, *saved_rbp);
  }
  const auto simple = parse_simple(state.cfa_expression);
  if (!simple) return other(unsupported, "cfa_expression");
  return register_rule(simple->number, simple->offset, simple->deref, *saved_rbp, unsupported);
}

}  // namespace pyprof::elf
