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

// What is asked of an instruction.
struct Step {
  uint64_t address = 0;
  uint64_t target = 0;  // of a direct jump or call, 0 = none
  FrameEffect effect;
  uint8_t length = 1;
  bool bad = false;  // no instruction
  bool call = false;
  bool jump = false;  // or branch
  bool returns = false;
  bool padding = false;
  bool opens_frame = false;  // pushes a register that belongs to the caller, or makes room
  bool ends_flow = false;    // nothing runs into what follows
};

bool opens_frame(const ZydisDecodedInstruction& head, const ZydisDecodedOperand* operands) {
  const ZydisRegister first =
      operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER ? operands[0].reg.value : ZYDIS_REGISTER_NONE;
  if (head.mnemonic == ZYDIS_MNEMONIC_PUSH)
    return first == ZYDIS_REGISTER_RBX || first == ZYDIS_REGISTER_RBP ||
           (first >= ZYDIS_REGISTER_R12 && first <= ZYDIS_REGISTER_R15);
  return head.mnemonic == ZYDIS_MNEMONIC_ENDBR64 ||
         (head.mnemonic == ZYDIS_MNEMONIC_SUB && first == ZYDIS_REGISTER_RSP);
}

bool ends_flow(const ZydisDecodedInstruction& head) {
  return head.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
         head.meta.category == ZYDIS_CATEGORY_RET || head.mnemonic == ZYDIS_MNEMONIC_HLT ||
         head.mnemonic == ZYDIS_MNEMONIC_UD2 || head.mnemonic == ZYDIS_MNEMONIC_INT3;
}

Step to_step(uint64_t address, const ZydisDecodedInstruction& head,
             const ZydisDecodedOperand* operands) {
  Step step;
  step.address = address;
  step.effect = frame_effect(head, operands);
  step.length = head.length;
  const auto category = head.meta.category;
  step.call = category == ZYDIS_CATEGORY_CALL;
  step.jump = category == ZYDIS_CATEGORY_UNCOND_BR || category == ZYDIS_CATEGORY_COND_BR;
  step.returns = category == ZYDIS_CATEGORY_RET;
  step.padding = head.mnemonic == ZYDIS_MNEMONIC_NOP || head.mnemonic == ZYDIS_MNEMONIC_INT3 ||
                 category == ZYDIS_CATEGORY_WIDENOP;
  step.opens_frame = opens_frame(head, operands);
  step.ends_flow = ends_flow(head);
  const bool direct = (step.call || step.jump) &&
                      operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
                      operands[0].imm.is_relative;
  if (direct) step.target = address + head.length + static_cast<uint64_t>(operands[0].imm.value.s);
  return step;
}

Step no_step(uint64_t address) {
  Step step;
  step.address = address;
  step.bad = true;
  return step;
}

// Bytes that are no instruction are steps of their own.
std::vector<Step> decode(std::span<const uint8_t> code, uint64_t address) {
  constexpr std::size_t kUsualBytes = 4;
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  ZydisDecodedInstruction head;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
  std::vector<Step> steps;
  steps.reserve(code.size() / kUsualBytes);
  for (std::size_t at = 0; at < code.size(); at += steps.back().length) {
    const bool good = ZYAN_SUCCESS(ZydisDecoderDecodeFull(
        &decoder, code.data() + at, code.size() - at, &head, operands.data()));
    steps.push_back(good ? to_step(address + at, head, operands.data()) : no_step(address + at));
  }
  return steps;
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
  Pass(std::span<const Step> steps, std::span<const uint64_t> starts, uint64_t entry, Jumps& jumps)
      : steps_(steps), starts_(starts), next_starts_(starts), entry_(entry), jumps_(jumps) {}

  std::vector<UnwindRow> run() {
    for (std::size_t i = 0; i < steps_.size(); i++)
      visit(i);
    return std::move(rows_);
  }

 private:
  void visit(std::size_t at) {
    const Step& step = steps_[at];
    enter(at);
    put(step.address, step.bad ? make_rule(WIRE_RULE_NONE) : now_.state.rule());
    padded_ = step.padding;
    if (step.bad) ended_ = true;
    if (step.bad || step.padding) return;
    if (now_.state.depth() > body_.depth()) body_ = now_.state;
    follow(step);
  }

  // The state in which the instruction is reached.
  void enter(std::size_t at) {
    const uint64_t address = steps_[at].address;
    while (!next_starts_.empty() && next_starts_.front() < address)
      next_starts_ = next_starts_.subspan(1);
    const bool start = !next_starts_.empty() && next_starts_.front() == address;
    if (!start && !ended_) return run_into(at);
    if (address == entry_) {
      now_ = {FrameState::at_root(), true};
    } else if (start) {
      now_ = {FrameState::at_entry(), true};
    } else {
      const Known* jump = jumps_.find(address);
      now_ = jump != nullptr && jump->sure ? *jump : guess(at, jump);
    }
    if (start || now_.state.depth() == FrameState::at_entry().depth()) body_ = now_.state;
  }

  // From the instruction before.
  void run_into(std::size_t at) {
    if (!now_.sure) {
      const Known* jump = jumps_.find(steps_[at].address);
      if (jump != nullptr && jump->sure) now_ = *jump;
    }
    if (!called_ || !may_start(at)) return;
    // The call before may be one that never returns.
    const FrameState entry = FrameState::at_entry();
    if (steps_[at].opens_frame ||
        (!fits(at, now_.state).value_or(true) && fits(at, entry).value_or(false))) {
      now_ = {entry, true};
      body_ = entry;
    }
  }

  [[nodiscard]] bool may_start(std::size_t at) const {
    return padded_ && !steps_[at].padding && steps_[at].address % kFunctionAlign == 0;
  }

  // Where no jump leads to: reached through a table of jumps or from what comes later, or a
  // function that only pointers lead to. What fits to the code's end is it.
  [[nodiscard]] Known guess(std::size_t at, const Known* jump) const {
    const FrameState entry = FrameState::at_entry();
    if (may_start(at) && steps_[at].opens_frame) return {entry, true};
    const FrameState likely = jump != nullptr ? jump->state : body_;
    for (const FrameState& candidate : {likely, body_, entry}) {
      if (fits(at, candidate).value_or(false)) return {candidate, true};
    }
    return {likely, false};
  }

  // Whether the code from here on, run in `state`, ends as a function does or goes on in code in
  // the state that is known there. Nothing: can't be told.
  [[nodiscard]] std::optional<bool> fits(std::size_t at, FrameState state) const {
    constexpr std::size_t kMaxSteps = 200;
    for (std::size_t i = at; i < std::min(at + kMaxSteps, steps_.size()); i++) {
      const Step& step = steps_[i];
      const Known* jump = i == at ? nullptr : jumps_.find(step.address);
      if (jump != nullptr && jump->sure) return jump->state.rule() == state.rule();
      if (step.bad) return std::nullopt;
      if (step.returns) return state.rule() == FrameState::at_entry().rule();
      if (const auto known = step.jump ? rule_at(step.target) : std::nullopt)
        return *known == state.rule();
      if (step.ends_flow) return std::nullopt;
      state.apply(step.effect);
    }
    return std::nullopt;
  }

  // Of a function's start, of code that a jump leads to and of code that was passed.
  [[nodiscard]] std::optional<uint32_t> rule_at(uint64_t address) const {
    if (address == 0) return std::nullopt;
    if (std::binary_search(starts_.begin(), starts_.end(), address))
      return FrameState::at_entry().rule();
    if (const Known* jump = jumps_.find(address); jump != nullptr && jump->sure)
      return jump->state.rule();
    if (rows_.empty() || address > passed_) return std::nullopt;
    const auto after =
        std::upper_bound(rows_.begin(), rows_.end(), address,
                         [](uint64_t place, const UnwindRow& row) { return place < row.address; });
    if (after == rows_.begin()) return std::nullopt;
    return std::prev(after)->rule;
  }

  void follow(const Step& step) {
    if (step.jump && step.target != 0) jumps_.add(step.address, step.target, now_);
    ended_ = step.ends_flow;
    called_ = step.call;
    now_.state.apply(step.effect);
  }

  void put(uint64_t address, uint32_t rule) {
    passed_ = address;
    if (rows_.empty() || rows_.back().rule != rule) rows_.push_back({address, rule});
  }

  std::span<const Step> steps_;
  std::span<const uint64_t> starts_;
  std::span<const uint64_t> next_starts_;  // those to come
  uint64_t entry_;
  Jumps& jumps_;
  Known now_;
  FrameState body_;      // the deepest of the function so far
  bool ended_ = true;    // control doesn't come from the instruction before
  bool called_ = false;  // the last one was a call
  bool padded_ = true;   // what is before is padding
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
  const auto steps = decode(file_.at_address(first, end - first), first);
  left_ -= end - first;
  std::vector<uint64_t> starts(std::lower_bound(starts_.begin(), starts_.end(), first),
                               std::lower_bound(starts_.begin(), starts_.end(), end));
  for (const Step& step : steps) {
    if (step.call && step.target >= first && step.target < end) starts.push_back(step.target);
  }
  std::sort(starts.begin(), starts.end());
  Jumps jumps;
  std::vector<UnwindRow> rows;
  for (int i = 0; i < kPasses; i++)
    rows = Pass(steps, starts, file_.entry(), jumps).run();
  return rows;
}

}  // namespace pyprof::elf
