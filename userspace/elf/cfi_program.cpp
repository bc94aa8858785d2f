// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/cfi_program.h"

#include <dwarf.h>

namespace pyprof::elf {
namespace {

constexpr std::size_t kMaxRemembered = 64;

template <typename State>
auto tracked(State& state, uint64_t number) -> decltype(&state.rbp) {
  switch (number) {
    case dwarf_register::kRbp:
      return &state.rbp;
    case dwarf_register::kRsp:
      return &state.rsp;
    case dwarf_register::kReturnAddress:
      return &state.return_address;
    default:
      return nullptr;
  }
}

uint64_t read_value(ByteReader& reader, uint8_t format) {
  switch (format) {
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
      return reader.read<uint64_t>();
    case DW_EH_PE_uleb128:
      return reader.uleb();
    case DW_EH_PE_udata2:
      return reader.read<uint16_t>();
    case DW_EH_PE_udata4:
      return reader.read<uint32_t>();
    case DW_EH_PE_sleb128:
      return static_cast<uint64_t>(reader.sleb());
    case DW_EH_PE_sdata2:
      return static_cast<uint64_t>(int64_t{reader.read<int16_t>()});
    case DW_EH_PE_sdata4:
      return static_cast<uint64_t>(int64_t{reader.read<int32_t>()});
    default:
      reader.fail();
      return 0;
  }
}

}  // namespace

uint64_t read_encoded(ByteReader& reader, uint8_t encoding, uint64_t address) {
  constexpr uint8_t kFormatMask = 0x0f;
  const uint64_t base = address + reader.position();
  const uint64_t value = read_value(reader, encoding & kFormatMask);
  const uint8_t relation = encoding & ~kFormatMask;
  if (relation == DW_EH_PE_pcrel) return base + value;
  if (relation != DW_EH_PE_absptr) reader.fail();
  return value;
}

CfiProgram::CfiProgram(const Cie& cie, std::span<const uint8_t> instructions, uint64_t address,
                       uint64_t location)
    : cie_(cie),
      reader_(instructions),
      address_(address),
      location_(location),
      next_location_(location),
      state_(cie.initial) {}

CfiProgram::Step CfiProgram::step() {
  location_ = next_location_;
  while (!reader_.at_end()) {
    if (!execute(reader_.read<uint8_t>()) || reader_.failed()) return Step::kBad;
    if (next_location_ != location_) return Step::kRow;
  }
  return Step::kEnd;
}

bool CfiProgram::execute(uint8_t opcode) {
  Done done = execute_location(opcode);
  if (done == Done::kUnknown) done = execute_cfa(opcode);
  if (done == Done::kUnknown) done = execute_register(opcode);
  if (done == Done::kUnknown) done = execute_state(opcode);
  return done == Done::kYes;
}

CfiProgram::Done CfiProgram::execute_location(uint8_t opcode) {
  if ((opcode & 0xc0) == DW_CFA_advance_loc) return advance(opcode & 0x3f);
  switch (opcode) {
    case DW_CFA_advance_loc1:
      return advance(reader_.read<uint8_t>());
    case DW_CFA_advance_loc2:
      return advance(reader_.read<uint16_t>());
    case DW_CFA_advance_loc4:
      return advance(reader_.read<uint32_t>());
    case DW_CFA_set_loc:
      next_location_ = read_encoded(reader_, cie_.pointer_encoding, address_);
      return next_location_ < location_ ? Done::kBad : Done::kYes;
    default:
      return Done::kUnknown;
  }
}

CfiProgram::Done CfiProgram::advance(uint64_t units) {
  uint64_t delta = 0;
  if (__builtin_mul_overflow(units, cie_.code_align, &delta) ||
      __builtin_add_overflow(location_, delta, &next_location_)) {
    return Done::kBad;
  }
  return Done::kYes;
}

CfiProgram::Done CfiProgram::execute_cfa(uint8_t opcode) {
  switch (opcode) {
    case DW_CFA_def_cfa:
      state_.cfa_register = reader_.uleb();
      state_.cfa_offset = static_cast<int64_t>(reader_.uleb());
      break;
    case DW_CFA_def_cfa_sf:
      state_.cfa_register = reader_.uleb();
      state_.cfa_offset = static_cast<int64_t>(static_cast<uint64_t>(reader_.sleb()) *
                                               static_cast<uint64_t>(cie_.data_align));
      break;
    case DW_CFA_def_cfa_register:
      state_.cfa_register = reader_.uleb();
      break;
    case DW_CFA_def_cfa_offset:
      state_.cfa_offset = static_cast<int64_t>(reader_.uleb());
      break;
    case DW_CFA_def_cfa_offset_sf:
      state_.cfa_offset = static_cast<int64_t>(static_cast<uint64_t>(reader_.sleb()) *
                                               static_cast<uint64_t>(cie_.data_align));
      break;
    case DW_CFA_def_cfa_expression:
      state_.cfa_expression = reader_.take(reader_.uleb());
      return state_.cfa_expression.empty() ? Done::kBad : Done::kYes;
    default:
      return Done::kUnknown;
  }
  state_.cfa_expression = {};
  return Done::kYes;
}

CfiProgram::Done CfiProgram::execute_register(uint8_t opcode) {
  using Kind = CfiRegister::Kind;
  if ((opcode & 0xc0) == DW_CFA_offset) {
    set_offset(opcode & 0x3f, reader_.uleb());
    return Done::kYes;
  }
  if ((opcode & 0xc0) == DW_CFA_restore) {
    restore(opcode & 0x3f);
    return Done::kYes;
  }
  if (opcode < DW_CFA_offset_extended || opcode > DW_CFA_GNU_negative_offset_extended ||
      opcode == DW_CFA_remember_state || opcode == DW_CFA_restore_state ||
      opcode == DW_CFA_GNU_args_size) {
    return Done::kUnknown;
  }
  const uint64_t number = reader_.uleb();
  switch (opcode) {
    case DW_CFA_offset_extended:
      set_offset(number, reader_.uleb());
      break;
    case DW_CFA_offset_extended_sf:
      set_offset(number, static_cast<uint64_t>(reader_.sleb()));
      break;
    case DW_CFA_GNU_negative_offset_extended:
      set_offset(number, uint64_t{0} - reader_.uleb());
      break;
    case DW_CFA_restore_extended:
      restore(number);
      break;
    case DW_CFA_undefined:
      set(number, {.kind = Kind::kUndefined});
      break;
    case DW_CFA_same_value:
      set(number, {.kind = Kind::kSame});
      break;
    case DW_CFA_expression:
      set(number, {.kind = Kind::kExpression, .expression = reader_.take(reader_.uleb())});
      break;
    case DW_CFA_val_expression:
      reader_.take(reader_.uleb());
      set(number, {.kind = Kind::kOther});
      break;
    case DW_CFA_register:
    case DW_CFA_val_offset:
    case DW_CFA_val_offset_sf:  // one LEB128 each, of either sign the same length
      reader_.uleb();
      set(number, {.kind = Kind::kOther});
      break;
    default:
      return Done::kBad;
  }
  return Done::kYes;
}

CfiProgram::Done CfiProgram::execute_state(uint8_t opcode) {
  switch (opcode) {
    case DW_CFA_nop:
      return Done::kYes;
    case DW_CFA_GNU_args_size:
      reader_.uleb();
      return Done::kYes;
    case DW_CFA_remember_state:
      if (remembered_.size() == kMaxRemembered) return Done::kBad;
      remembered_.push_back(state_);
      return Done::kYes;
    case DW_CFA_restore_state:
      if (remembered_.empty()) return Done::kBad;
      state_ = remembered_.back();
      remembered_.pop_back();
      return Done::kYes;
    default:
      return Done::kBad;
  }
}

void CfiProgram::set_offset(uint64_t number, uint64_t units) {
  const auto offset = static_cast<int64_t>(units * static_cast<uint64_t>(cie_.data_align));
  set(number, {.kind = CfiRegister::Kind::kOffset, .offset = offset});
}

void CfiProgram::set(uint64_t number, const CfiRegister& value) {
  if (CfiRegister* target = tracked(state_, number)) *target = value;
}

void CfiProgram::restore(uint64_t number) {
  if (const CfiRegister* value = tracked(cie_.initial, number)) set(number, *value);
}

}  // namespace pyprof::elf
