// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/code_scan.h"

#include <Zydis/Zydis.h>
#include <elf.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <unordered_map>

#include "userspace/elf/cfi_rule.h"
#include "userspace/elf/frame_state.h"

namespace pyprof::elf {
namespace {

constexpr std::size_t kMaxSymbols = 200'000;
constexpr uint64_t kFunctionAlign = 16;
constexpr int kPasses = 2;  // the second one knows where jumps back come from

struct Instruction {
  ZydisDecodedInstruction head;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
  uint64_t address = 0;

  [[nodiscard]] uint64_t end() const { return address + head.length; }
  // Of a direct jump or call.
  [[nodiscard]] std::optional<uint64_t> target() const {
    if (head.operand_count == 0 || operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
        !operands[0].imm.is_relative)
      return std::nullopt;
    return end() + static_cast<uint64_t>(operands[0].imm.value.s);
  }
  [[nodiscard]] bool is_call() const { return head.meta.category == ZYDIS_CATEGORY_CALL; }
  [[nodiscard]] bool is_jump() const { return head.meta.category == ZYDIS_CATEGORY_UNCOND_BR; }
  [[nodiscard]] bool is_branch() const { return head.meta.category == ZYDIS_CATEGORY_COND_BR; }
  [[nodiscard]] bool is_padding() const {
    return head.mnemonic == ZYDIS_MNEMONIC_NOP || head.mnemonic == ZYDIS_MNEMONIC_INT3 ||
           head.meta.category == ZYDIS_CATEGORY_WIDENOP;
  }
  // Pushes a register that belongs to the caller, or makes room.
  [[nodiscard]] bool opens_frame() const {
    const ZydisRegister first = operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER
                                    ? operands[0].reg.value
                                    : ZYDIS_REGISTER_NONE;
    if (head.mnemonic == ZYDIS_MNEMONIC_PUSH)
      return first == ZYDIS_REGISTER_RBX || first == ZYDIS_REGISTER_RBP ||
             (first >= ZYDIS_REGISTER_R12 && first <= ZYDIS_REGISTER_R15);
    return head.mnemonic == ZYDIS_MNEMONIC_ENDBR64 ||
           (head.mnemonic == ZYDIS_MNEMONIC_SUB && first == ZYDIS_REGISTER_RSP);
  }
  // Nothing runs into what follows.
  [[nodiscard]] bool ends_flow() const {
    return is_jump() || head.meta.category == ZYDIS_CATEGORY_RET ||
           head.mnemonic == ZYDIS_MNEMONIC_HLT || head.mnemonic == ZYDIS_MNEMONIC_UD2 ||
           head.mnemonic == ZYDIS_MNEMONIC_INT3;
  }
};

// Code and its place.
class Code {
 public:
  Code(std::span<const uint8_t> bytes, uint64_t address) : bytes_(bytes), address_(address) {
    ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  }

  [[nodiscard]] uint64_t first() const { return address_; }
  [[nodiscard]] uint64_t end() const { return address_ + bytes_.size(); }
  // False: there is none.
  bool decode(uint64_t address, Instruction& into) const {
    into.address = address;
    const auto rest = bytes_.subspan(address - address_);
    return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, rest.data(), rest.size(), &into.head,
                                               into.operands.data()));
  }

 private:
  std::span<const uint8_t> bytes_;
  uint64_t address_;
  ZydisDecoder decoder_{};
};

// Calls `visit` with each instruction; bytes that are none are skipped one by one, with a null
// pointer.
template <typename Visit>
void for_each(const Code& code, Visit visit) {
  Instruction instruction;
  for (uint64_t at = code.first(); at < code.end();) {
    const bool good = code.decode(at, instruction);
    visit(good ? &instruction : nullptr, at);
    at = good ? instruction.end() : at + 1;
  }
}

// A frame's state, and whether more than a guess stands behind it.
struct Known {
  FrameState state = FrameState::at_entry();
  bool sure = false;
};

// What jumps bring to their targets. Of several the nearest counts: it is most likely of the same
// function.
class Jumps {
 public:
  void add(uint64_t from, uint64_t to, const Known& known) {
    const Target target{from < to ? to - from : from - to, known};
    const auto [old, added] = targets_.try_emplace(to, target);
    if (!added && target.better_than(old->second)) old->second = target;
  }

  [[nodiscard]] const Known* find(uint64_t address) const {
    const auto found = targets_.find(address);
    return found == targets_.end() ? nullptr : &found->second.known;
  }

 private:
  struct Target {
    uint64_t distance = 0;
    Known known;
    [[nodiscard]] bool better_than(const Target& other) const {
      if (known.sure != other.known.sure) return known.sure;
      return distance <= other.distance;
    }
  };
  std::unordered_map<uint64_t, Target> targets_;
};

// One pass over code from its first to its last instruction.
class Pass {
 public:
  Pass(const Code& code, std::span<const uint64_t> starts, uint64_t entry, Jumps& jumps)
      : code_(code), all_starts_(starts), starts_(starts), entry_(entry), jumps_(jumps) {}

  void visit(const Instruction* instruction, uint64_t address) {
    padded_ = padding_;
    padding_ = instruction != nullptr && instruction->is_padding();
    enter(address);
    passed_ = address;
    put(address, instruction != nullptr ? now_.state.rule() : make_rule(WIRE_RULE_NONE));
    if (instruction == nullptr) {
      ended_ = true;
    } else if (!padding_) {
      if (now_.state.depth() > body_.depth()) body_ = now_.state;
      follow(*instruction);
    }
  }

  std::vector<UnwindRow> take_rows() { return std::move(rows_); }

 private:
  // The state in which the instruction at `address` is reached.
  void enter(uint64_t address) {
    while (!starts_.empty() && starts_.front() < address)
      starts_ = starts_.subspan(1);
    const bool start = !starts_.empty() && starts_.front() == address;
    if (!start && !ended_) {
      if (const Known* jump = now_.sure ? nullptr : jumps_.find(address);
          jump != nullptr && jump->sure)
        now_ = *jump;
      if (called_ && is_aligned(address)) leave_function(address);
      return;
    }
    if (address == entry_) {
      now_ = {FrameState::at_root(), true};
    } else if (start) {
      now_ = {FrameState::at_entry(), true};
    } else {
      const Known* jump = jumps_.find(address);
      now_ = jump != nullptr && jump->sure ? *jump : guess(address, jump);
    }
    if (start || now_.state.depth() == FrameState::at_entry().depth()) body_ = now_.state;
  }

  [[nodiscard]] bool is_aligned(uint64_t address) const {
    return padded_ && !padding_ && address % kFunctionAlign == 0;
  }

  // What begins so is not the middle of a function.
  [[nodiscard]] bool has_prologue(uint64_t address) const {
    Instruction instruction;
    return code_.decode(address, instruction) && instruction.opens_frame();
  }

  // The call before may be one that never returns.
  void leave_function(uint64_t address) {
    const FrameState entry = FrameState::at_entry();
    if (has_prologue(address) ||
        (!fits(address, now_.state).value_or(true) && fits(address, entry).value_or(false))) {
      now_ = {entry, true};
      body_ = entry;
    }
  }

  // Where no jump leads to: reached through a table of jumps or from what comes later, or a
  // function that only pointers lead to. What fits to the code's end is it.
  [[nodiscard]] Known guess(uint64_t address, const Known* jump) const {
    const FrameState entry = FrameState::at_entry();
    if (is_aligned(address) && has_prologue(address)) return {entry, true};
    const FrameState likely = jump != nullptr ? jump->state : body_;
    for (const FrameState& candidate : {likely, body_, entry}) {
      if (fits(address, candidate).value_or(false)) return {candidate, true};
    }
    return {likely, false};
  }

  // Whether the code from `address` on, run in `state`, ends as a function does or goes on in code
  // in the state that is known there. Nothing: can't be told.
  [[nodiscard]] std::optional<bool> fits(uint64_t address, FrameState state) const {
    constexpr int kMaxInstructions = 200;
    Instruction instruction;
    for (int i = 0; i < kMaxInstructions && address < code_.end(); i++) {
      const Known* jump = i == 0 ? nullptr : jumps_.find(address);
      if (jump != nullptr && jump->sure) return jump->state.rule() == state.rule();
      if (!code_.decode(address, instruction)) return std::nullopt;
      if (instruction.head.meta.category == ZYDIS_CATEGORY_RET)
        return state.rule() == FrameState::at_entry().rule();
      const bool jumps = instruction.is_jump() || instruction.is_branch();
      if (const auto target = instruction.target(); jumps && target) {
        if (const auto known = rule_at(*target)) return *known == state.rule();
      }
      if (instruction.ends_flow()) return std::nullopt;
      if (!jumps) state.apply(instruction.head, instruction.operands.data());
      address = instruction.end();
    }
    return std::nullopt;
  }

  // Of code that was passed or that a jump leads to.
  [[nodiscard]] std::optional<uint32_t> rule_at(uint64_t address) const {
    if (std::binary_search(all_starts_.begin(), all_starts_.end(), address))
      return FrameState::at_entry().rule();
    if (const Known* jump = jumps_.find(address); jump != nullptr && jump->sure)
      return jump->state.rule();
    if (rows_.empty() || address > passed_) return std::nullopt;
    const auto after =
        std::upper_bound(rows_.begin(), rows_.end(), address,
                         [](uint64_t at, const UnwindRow& row) { return at < row.address; });
    if (after == rows_.begin()) return std::nullopt;
    return std::prev(after)->rule;
  }

  void follow(const Instruction& instruction) {
    const bool jumps = instruction.is_jump() || instruction.is_branch();
    if (const auto target = instruction.target(); jumps && target)
      jumps_.add(instruction.address, *target, now_);
    ended_ = instruction.ends_flow();
    called_ = instruction.is_call();
    if (!jumps) now_.state.apply(instruction.head, instruction.operands.data());
  }

  void put(uint64_t address, uint32_t rule) {
    if (rows_.empty() || rows_.back().rule != rule) rows_.push_back({address, rule});
  }

  const Code& code_;
  std::span<const uint64_t> all_starts_;
  std::span<const uint64_t> starts_;  // those to come
  uint64_t entry_;
  Jumps& jumps_;
  Known now_;
  FrameState body_;      // the deepest of the function so far
  bool ended_ = true;    // control doesn't come from the instruction before
  bool called_ = false;  // the last one was a call
  bool padded_ = true;   // what is before is padding
  bool padding_ = true;
  uint64_t passed_ = 0;
  std::vector<UnwindRow> rows_;
};

}  // namespace

CodeScan::CodeScan(const ElfFile& file) : file_(file) {
  for (const Symbol& symbol : file.symbols(kMaxSymbols)) {
    const bool part = symbol.name.find(".cold") != std::string_view::npos;
    if (symbol.type == STT_FUNC && !part) starts_.push_back(symbol.address);
  }
  starts_.push_back(file.entry());
  std::sort(starts_.begin(), starts_.end());
}

std::vector<UnwindRow> CodeScan::rows(uint64_t first, uint64_t end) {
  if (end <= first || end - first > left_) return {};
  const Code code(file_.at_address(first, end - first), first);
  left_ -= end - first;
  std::vector<uint64_t> starts(std::lower_bound(starts_.begin(), starts_.end(), first),
                               std::lower_bound(starts_.begin(), starts_.end(), end));
  for_each(code, [&](const Instruction* instruction, uint64_t) {
    if (instruction == nullptr || !instruction->is_call()) return;
    const auto target = instruction->target();
    if (target && *target >= first && *target < end) starts.push_back(*target);
  });
  std::sort(starts.begin(), starts.end());
  Jumps jumps;
  std::vector<UnwindRow> rows;
  for (int i = 0; i < kPasses; i++) {
    Pass pass(code, starts, file_.entry(), jumps);
    for_each(code, [&](const Instruction* instruction, uint64_t address) {
      pass.visit(instruction, address);
    });
    rows = pass.take_rows();
  }
  return rows;
}

}  // namespace pyprof::elf
