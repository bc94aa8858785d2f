// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/merge.h"

#include <algorithm>
#include <optional>

#include "bpf/wire.h"

namespace pyprof::symbolize {
namespace {

// Each search for an entry that no frame holds walks all outer frames. Real stacks have at most one
// such entry (the thread's permanent base frame, 3.15); past this many, nothing is searched any
// more.
constexpr int kMaxMisses = 8;

class Merger {
 public:
  Merger(const model::RawStack& stack, const EvalPredicate& is_eval)
      : stack_(stack), is_eval_(is_eval) {
    merged_.reserve(stack.native.size() + stack.python.size() + 2);
  }

  std::vector<MergedFrame> run() {
    if (!stack_.python.empty() && stack_.python.front().activation) {
      run_by_activation();
      return std::move(merged_);
    }
    for (uint32_t i = 0; i < stack_.python.size(); ++i) {
      if (stack_.python[i].kind == model::PythonFrame::Kind::kEntry) {
        end_run(i);
        run_first_ = i + 1;
      }
    }
    end_chain();
    return std::move(merged_);
  }

 private:
  // CPython up to 3.10: one activation for each Python frame, the innermost first.
  void run_by_activation() {
    std::vector<uint32_t> evals;
    for (uint32_t k = 0; k < stack_.native.size(); ++k) {
      if (is_eval_(k)) {
        evals.push_back(k);
      }
    }
    const auto count = static_cast<uint32_t>(stack_.python.size());
    const std::size_t unlinked = is_first_unlinked(evals) ? 1 : 0;
    for (std::size_t i = unlinked; i < evals.size() && run_first_ < count; ++i) {
      emit_native_until(evals[i]);
      const bool rest = stack_.native_end == 0 && i + 1 == evals.size();
      emit_python_until(rest ? count : run_first_ + 1);
    }
    if (run_first_ < count) {
      emit_cut_native();
    }
    end_chain();
  }

  // An activation links its frame some instructions after it was entered and unlinks it some before
  // it leaves. In between it is one more than there are frames.
  [[nodiscard]] bool is_first_unlinked(const std::vector<uint32_t>& evals) const {
    return stack_.native_end == 0 && stack_.python_end == 0 && !evals.empty() &&
           evals.front() == 0 && evals.size() == stack_.python.size() + 1;
  }

  // Places the code frames [run_first_, entry) at the activation that holds the entry.
  void end_run(uint32_t entry) {
    const uint64_t address = stack_.python[entry].address;
    if (const auto holder = find_holder(address)) {
      emit_native_until(*holder);
    } else if (is_beyond_cut(address)) {
      emit_cut_native();
    }
    emit_python_until(entry);
  }

  void end_chain() {
    const auto end = static_cast<uint32_t>(stack_.python.size());
    if (run_first_ < end) {
      place_run_without_entry();
    }
    emit_python_until(end);
    emit_python_cut_after_python();
    if (!native_done_) {
      emit_cut_native();
    }
    emit_python_cut_without_python();
  }

  [[nodiscard]] std::optional<uint32_t> find_holder(uint64_t address) {
    if (misses_ >= kMaxMisses) {
      return std::nullopt;
    }
    uint64_t sp = low_;
    for (uint32_t k = next_native_; k < stack_.native.size(); ++k) {
      const uint64_t cfa = stack_.native[k].cfa;
      if (sp <= address && address < cfa) {
        return k;
      }
      sp = cfa;
    }
    ++misses_;
    return std::nullopt;
  }

  // The unwinder did not get as far as the activation that runs this run. An entry below the
  // position was passed already, by a frame the unwinder skipped: its run belongs here.
  [[nodiscard]] bool is_beyond_cut(uint64_t address) const {
    return stack_.native_end != 0 && (stack_.native.empty() || address >= low_);
  }

  // The Python chain was cut before this run's entry. Its activation is the next one outwards.
  void place_run_without_entry() {
    const auto count = static_cast<uint32_t>(stack_.native.size());
    for (uint32_t k = next_native_; k < count; ++k) {
      if (k != holder_ && is_eval_(k)) {
        emit_native_until(k);
        return;
      }
    }
    if (stack_.native_end != 0) {
      emit_cut_native();
    } else if (holder_ == next_native_) {
      emit_next_native();
    }
  }

  // Emits the frames below `holder`. It stays pending itself: more than one entry may lie in it.
  void emit_native_until(uint32_t holder) {
    while (next_native_ < holder) {
      emit_next_native();
    }
    low_ = holder == 0 ? stack_.sp : stack_.native[holder - 1].cfa;
    holder_ = holder;
  }

  void emit_next_native() {
    const bool eval = holder_ == next_native_;
    merged_.push_back({eval ? MergedFrame::Kind::kEval : MergedFrame::Kind::kNative, next_native_});
    ++next_native_;
  }

  void emit_cut_native() {
    while (next_native_ < stack_.native.size()) {
      emit_next_native();
    }
    if (stack_.native_end != 0 && !native_done_) {
      merged_.push_back({MergedFrame::Kind::kNativeCut, 0});
    }
    native_done_ = true;
  }

  void emit_python_until(uint32_t end) {
    for (; run_first_ < end; ++run_first_) {
      merged_.push_back({MergedFrame::Kind::kPython, run_first_});
      python_seen_ = true;
    }
  }

  [[nodiscard]] bool python_cut() const {
    return stack_.python_end != 0 && stack_.python_end != WIRE_FAULT_PY_NO_STATE;
  }

  void emit_python_cut_after_python() {
    if (python_cut() && python_seen_) {
      merged_.push_back({MergedFrame::Kind::kPythonCut, 0});
    }
  }

  // A reason that cut both halves at the start is said once.
  void emit_python_cut_without_python() {
    if (python_cut() && !python_seen_ && stack_.python_end != stack_.native_end) {
      merged_.push_back({MergedFrame::Kind::kPythonCut, 0});
    }
  }

  const model::RawStack& stack_;
  const EvalPredicate& is_eval_;
  std::vector<MergedFrame> merged_;
  uint64_t low_ = stack_.sp;      // lower bound of the pending native frame's stack
  uint32_t next_native_ = 0;      // pending: not emitted yet
  uint32_t holder_ = UINT32_MAX;  // the last native frame found to execute Python frames
  uint32_t run_first_ = 0;
  int misses_ = 0;
  bool python_seen_ = false;
  bool native_done_ = false;
};

}  // namespace

std::vector<MergedFrame> merge(const model::RawStack& stack, const EvalPredicate& is_eval) {
  return Merger(stack, is_eval).run();
}

}  // namespace pyprof::symbolize
