// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "userspace/elf/byte_reader.h"

// Runs the instructions of .eh_frame (DWARF call frame information as the x86-64 psABI uses it) and
// keeps only what the kernel side can use: the CFA, the saved rbp and the return address.
namespace pyprof::elf {

namespace dwarf_register {
inline constexpr uint64_t kRbp = 6;
inline constexpr uint64_t kRsp = 7;
inline constexpr uint64_t kReturnAddress = 16;
}  // namespace dwarf_register

struct CfiRegister {
  enum class Kind : uint8_t { kUnset, kSame, kUndefined, kOffset, kExpression, kOther };
  Kind kind = Kind::kUnset;
  int64_t offset = 0;                     // kOffset: from the CFA, in bytes
  std::span<const uint8_t> expression{};  // kExpression: gives the address of the saved value
};

struct CfiState {
  uint64_t cfa_register = dwarf_register::kRsp;
  int64_t cfa_offset = 0;                   // bytes
  std::span<const uint8_t> cfa_expression;  // used instead if not empty
  CfiRegister rbp;
  CfiRegister rsp;
  CfiRegister return_address;
};

// What FDEs have in common.
struct Cie {
  uint64_t offset = 0;  // of the record in its section
  uint64_t code_align = 1;
  int64_t data_align = 1;
  uint8_t pointer_encoding = 0;  // DW_EH_PE_*
  bool sized_augmentation = false;
  bool signal_frame = false;
  bool readable = false;  // the header was understood: FDEs can be located
  bool usable = false;    // and so were its instructions
  CfiState initial{};
};

// A pointer as .eh_frame encodes it; `address` is that of the reader's first byte. Fails the reader
// for encodings that code pointers of a linked file don't have.
uint64_t read_encoded(ByteReader& reader, uint8_t encoding, uint64_t address);

// One run over the instructions of a CIE or FDE. The spans of state() point into the section.
class CfiProgram {
 public:
  enum class Step : uint8_t {
    kRow,  // state() holds from location() to next_location()
    kEnd,  // state() holds from location() to the end of the function
    kBad,  // ill-formed: nothing is known from location() on
  };

  // `address` is that of the first instruction byte, `location` the start of the function.
  CfiProgram(const Cie& cie, std::span<const uint8_t> instructions, uint64_t address,
             uint64_t location);

  Step step();
  [[nodiscard]] uint64_t location() const { return location_; }
  [[nodiscard]] uint64_t next_location() const { return next_location_; }
  [[nodiscard]] const CfiState& state() const { return state_; }

 private:
  enum class Done : uint8_t { kYes, kBad, kUnknown };  // kUnknown: not an opcode of that group

  bool execute(uint8_t opcode);
  Done execute_location(uint8_t opcode);
  Done execute_cfa(uint8_t opcode);
  Done execute_register(uint8_t opcode);
  Done execute_state(uint8_t opcode);
  Done advance(uint64_t units);
  void set_offset(uint64_t number, uint64_t units);
  void set(uint64_t number, const CfiRegister& value);
  void restore(uint64_t number);

  const Cie& cie_;
  ByteReader reader_;
  uint64_t address_;
  uint64_t location_;
  uint64_t next_location_;
  CfiState state_;
  std::vector<CfiState> remembered_;
};

}  // namespace pyprof::elf
