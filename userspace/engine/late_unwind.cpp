// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/late_unwind.h"

#include <cstring>
#include <utility>
#include <vector>

#include "bpf/wire.h"

namespace pyprof::engine {
namespace {

constexpr uint64_t kWord = 8;
constexpr uint32_t kRbpAtRbp = 63;
// In the frame of rt_sigreturn, from its sp: uc_mcontext.gregs[] starts at 40.
constexpr uint64_t kSignalRbp = 40 + 10 * kWord;
constexpr uint64_t kSignalRsp = 40 + 15 * kWord;
constexpr uint64_t kSignalRip = 40 + 16 * kWord;

enum class Step : uint8_t { kNext, kEnd, kWait };

// The walk of bpf/native_unwind.bpf.h.
class Walk {
 public:
  Walk(const model::RawStack& stack, const LateTables& tables)
      : tables_(tables),
        piece_(stack.piece),
        known_(stack.native.size()),
        frame_(stack.native.back()),
        sp_(stack.piece.sp),
        bp_(stack.piece.bp) {}

  // Whether it came to an end; else something is missing yet, and end() says what.
  bool run() {
    Step step = Step::kNext;
    while (step == Step::kNext)
      step = advance();
    return step == Step::kEnd;
  }
  // What was reached from the frame that the walk began with, that one first.
  [[nodiscard]] std::vector<model::NativeFrame> take_frames() {
    frames_.push_back(frame_);
    return std::move(frames_);
  }
  [[nodiscard]] uint8_t end() const { return end_; }

 private:
  Step stop(uint8_t why) {
    end_ = why;
    return Step::kEnd;
  }
  Step wait(uint8_t why) {
    end_ = why;
    return Step::kWait;
  }

  std::optional<uint64_t> word(uint64_t address) const {
    const uint64_t at = address - piece_.sp;
    if (at % kWord != 0 || piece_.bytes.size() < kWord || at > piece_.bytes.size() - kWord)
      return std::nullopt;
    uint64_t value = 0;
    std::memcpy(&value, piece_.bytes.data() + at, sizeof(value));
    return value;
  }

  Step advance() {
    if (known_ + frames_.size() >= WIRE_MAX_NATIVE_FRAMES) return stop(WIRE_FAULT_NATIVE_DEPTH);
    auto look = tables_.resolve(frame_.where.pc - (frame_.exact ? 0 : 1));
    if (look.file == 0) return wait(WIRE_FAULT_NATIVE_NO_MAPPING);
    const auto rule = tables_.rule(look);
    if (!rule) return wait(WIRE_FAULT_NATIVE_UNREAD);
    switch (*rule & 15) {
      case WIRE_RULE_STOP:
        return stop(0);
      case WIRE_RULE_NONE:
        return stop(WIRE_FAULT_NATIVE_NO_RULE);
      case WIRE_RULE_SIGNAL:
        return leave_signal();
      default:
        return leave(*rule);
    }
  }

  Step leave_signal() {
    const auto pc = word(sp_ + kSignalRip), bp = word(sp_ + kSignalRbp),
               sp = word(sp_ + kSignalRsp);
    if (!pc || !bp || !sp) return stop(WIRE_FAULT_NATIVE_FAULT);
    frames_.push_back(frame_);
    frame_ = {tables_.resolve(*pc), 0, true};
    bp_ = *bp;
    sp_ = *sp;
    return Step::kNext;
  }

  std::optional<uint64_t> cfa_of(uint32_t rule) const {
    const auto offset = static_cast<uint64_t>(static_cast<int32_t>(rule) >> 10) * kWord;
    switch (rule & 15) {
      case WIRE_RULE_RSP:
        return sp_ + offset;
      case WIRE_RULE_RBP:
        return bp_ + offset;
      case WIRE_RULE_RBP_DEREF:
        return word(bp_ + offset);
      case WIRE_RULE_PLT:
        return sp_ + kWord + ((frame_.where.pc & 15) >= (rule >> 10 & 31) ? kWord : 0);
      default:
        return std::nullopt;
    }
  }

  Step leave(uint32_t rule) {
    if ((rule & 15) > WIRE_RULE_PLT) return stop(WIRE_FAULT_NATIVE_RULE);
    const auto cfa = cfa_of(rule);
    if (!cfa) return stop(WIRE_FAULT_NATIVE_FAULT);
    if (*cfa <= sp_) return stop(WIRE_FAULT_NATIVE_CFA);
    const uint32_t saved = rule >> 4 & 63;
    if (saved != 0) {
      const auto bp = word(saved == kRbpAtRbp ? bp_ : *cfa - saved * kWord);
      if (!bp) return stop(WIRE_FAULT_NATIVE_FAULT);
      bp_ = *bp;
    }
    const auto return_address = word(*cfa - kWord);
    if (!return_address) return stop(WIRE_FAULT_NATIVE_FAULT);
    frame_.cfa = *cfa;
    if (*return_address == 0) return stop(0);
    frames_.push_back(frame_);
    frame_ = {tables_.resolve(*return_address), 0, false};
    sp_ = *cfa;
    return Step::kNext;
  }

  const LateTables& tables_;
  const model::StackPiece& piece_;
  const std::size_t known_;
  std::vector<model::NativeFrame> frames_;
  model::NativeFrame frame_;  // in hand
  uint64_t sp_;
  uint64_t bp_;
  uint8_t end_ = 0;
};

}  // namespace

bool unwind_late(model::RawStack& stack, const LateTables& tables, bool last_try) {
  if (stack.piece.bytes.empty() || stack.native.empty()) return true;
  Walk walk(stack, tables);
  if (!walk.run() && !last_try) return false;
  auto frames = walk.take_frames();
  stack.native_end = walk.end();
  stack.native.pop_back();
  stack.native.insert(stack.native.end(), frames.begin(), frames.end());
  stack.piece = {};
  return true;
}

}  // namespace pyprof::engine
