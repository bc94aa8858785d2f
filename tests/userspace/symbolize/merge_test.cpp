// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "bpf/wire.h"
#include "tests/userspace/symbolize/fixtures.h"

namespace pyprof::symbolize {
namespace {

bool never_eval(uint32_t) {
  return false;
}

// "n0 p1 E2": native 0, Python element 1, eval activation 2; "~n" and "~p" where something was cut.
std::string text_of(const std::vector<MergedFrame>& frames) {
  std::string text;
  for (const MergedFrame& frame : frames) {
    switch (frame.kind) {
      case MergedFrame::Kind::kNative:
        text += "n" + std::to_string(frame.index);
        break;
      case MergedFrame::Kind::kEval:
        text += "E" + std::to_string(frame.index);
        break;
      case MergedFrame::Kind::kPython:
        text += "p" + std::to_string(frame.index);
        break;
      case MergedFrame::Kind::kNativeCut:
        text += "~n";
        break;
      case MergedFrame::Kind::kPythonCut:
        text += "~p";
        break;
    }
    text += ' ';
  }
  return text.empty() ? text : text.substr(0, text.size() - 1);
}

std::string merged(const model::RawStack& stack, const EvalPredicate& is_eval = never_eval) {
  return text_of(merge(stack, is_eval));
}

TEST(MergeTest, native_only_stack_stays_as_it_is) {
  EXPECT_EQ(merged(stack_of(0x100, {0x120, 0x140, 0}, {})), "n0 n1 n2");
}

TEST(MergeTest, empty_stack_gives_nothing) {
  EXPECT_EQ(merged({}), "");
}

// The addresses of a CPython 3.12.1 process under gdb: three activations, two of them re-entered
// through C (a sort key, an import).
TEST(MergeTest, nested_re_entry_of_3_12_lands_in_the_activations_that_hold_the_entries) {
  const auto stack =
      stack_of(0x7ffc601c0040,
               {0x7ffc601c00a0, 0x7ffc601c0220, 0x7ffc601c0280, 0x7ffc601c02f0, 0x7ffc601c0470,
                0x7ffc601c0560, 0x7ffc601c16d0, 0x7ffc601c1850, 0x7ffc601c1900, 0},
               {py_code(1), py_code(2), py_entry(0x7ffc601c0190), py_code(3),
                py_entry(0x7ffc601c03e0), py_code(4), py_code(5), py_entry(0x7ffc601c17c0)});
  EXPECT_EQ(merged(stack), "n0 p0 p1 E1 n2 n3 p3 E4 n5 n6 p5 p6 E7 n8 n9");
}

TEST(MergeTest, leaf_in_the_eval_loop_holds_its_own_run) {
  EXPECT_EQ(merged(stack_of(0x100, {0x200, 0x300, 0}, {py_code(1), py_entry(0x180)})),
            "p0 E0 n1 n2");
}

TEST(MergeTest, range_includes_the_stack_pointer_and_excludes_the_frame_address) {
  EXPECT_EQ(merged(stack_of(0x100, {0x200, 0x300, 0}, {py_code(1), py_entry(0x200)})),
            "n0 p0 E1 n2");
  EXPECT_EQ(merged(stack_of(0x100, {0x200, 0x300, 0}, {py_code(1), py_entry(0x1f8)})),
            "p0 E0 n1 n2");
}

// 3.11: every await and generator step is an activation of its own, with a cframe each.
TEST(MergeTest, generators_of_3_11_have_one_activation_each) {
  const auto stack = stack_of(
      0x100, {0x200, 0x240, 0x340, 0x380, 0x480, 0},
      {py_code(1), py_entry(0x110), py_code(2), py_entry(0x250), py_code(3), py_entry(0x390)});
  EXPECT_EQ(merged(stack), "p0 E0 n1 p2 E2 n3 p4 E4 n5");
}

// 3.12+: generators are resumed inside the activation: frames from the heap, no entry in between.
TEST(MergeTest, generators_of_3_12_share_the_activation_of_their_caller) {
  const auto stack =
      stack_of(0x100, {0x140, 0x240, 0}, {py_code(1), py_code(2), py_code(3), py_entry(0x1f0)});
  EXPECT_EQ(merged(stack), "n0 p0 p1 p2 E1 n2");
}

TEST(MergeTest, activation_in_its_prologue_has_no_python_frames_yet) {
  const auto stack =
      stack_of(0x100, {0x180, 0x1c0, 0x2c0, 0}, {py_code(1), py_code(2), py_entry(0x250)});
  EXPECT_EQ(merged(stack, [](uint32_t k) { return k == 0 || k == 2; }), "n0 n1 p0 p1 E2 n3");
}

TEST(MergeTest, several_entries_in_one_range_are_all_emitted_before_the_activation) {
  const auto stack = stack_of(0x100, {0x140, 0x400, 0},
                              {py_code(1), py_entry(0x200), py_code(2), py_entry(0x300)});
  EXPECT_EQ(merged(stack), "n0 p0 p2 E1 n2");
}

// 3.15: a permanent base frame in the thread state ends the chain; it lies on no stack.
TEST(MergeTest, base_frame_outside_the_stack_changes_nothing) {
  const auto stack = stack_of(0x7f00100, {0x7f00140, 0x7f00240, 0},
                              {py_code(1), py_entry(0x7f00200), py_entry(0x5500)});
  EXPECT_EQ(merged(stack), "n0 p0 E1 n2");
  auto cut = stack;
  cut.native_end = WIRE_FAULT_NATIVE_DEPTH;
  EXPECT_EQ(merged(cut), "n0 p0 E1 n2 ~n");
}

TEST(MergeTest, python_frames_beyond_a_native_cut_follow_the_mark) {
  auto stack = stack_of(
      0x100, {0x140, 0x240, 0x280, 0},
      {py_code(1), py_entry(0x200), py_code(2), py_entry(0x900), py_code(3), py_entry(0xa00)});
  stack.native_end = WIRE_FAULT_NATIVE_NO_RULE;
  EXPECT_EQ(merged(stack), "n0 p0 E1 n2 n3 ~n p2 p4");
}

TEST(MergeTest, cut_native_stack_without_python_ends_in_the_mark) {
  auto stack = stack_of(0x100, {0x140, 0}, {});
  stack.native_end = WIRE_FAULT_NATIVE_FAULT;
  EXPECT_EQ(merged(stack), "n0 n1 ~n");
}

TEST(MergeTest, python_without_any_native_frame_is_kept_whole) {
  auto stack = stack_of(0, {}, {py_code(1), py_code(2), py_entry(0x900)});
  EXPECT_EQ(merged(stack), "p0 p1");
  stack.native_end = WIRE_FAULT_NATIVE_REGS;
  EXPECT_EQ(merged(stack), "~n p0 p1");
}

TEST(MergeTest, entry_that_was_passed_does_not_stall_the_rest) {
  const auto stack = stack_of(0x1000, {0x1100, 0x1200, 0x1300, 0},
                              {py_code(1), py_entry(0x800), py_code(2), py_entry(0x1180)});
  EXPECT_EQ(merged(stack), "p0 n0 p2 E1 n2 n3");
}

TEST(MergeTest, signal_handler_on_its_own_stack_above_the_thread_stack) {
  // Frames 0-1 run at 0x9000, the signal frame's CFA is the interrupted stack pointer 0x2000.
  const auto stack =
      stack_of(0x9000, {0x9100, 0x2000, 0x2100, 0x2200, 0}, {py_code(1), py_entry(0x2150)});
  EXPECT_EQ(merged(stack), "n0 n1 n2 p0 E3 n4");
}

TEST(MergeTest, cut_python_chain_goes_to_the_next_activation) {
  auto stack = stack_of(0x100, {0x140, 0x240, 0x280, 0x380, 0},
                        {py_code(1), py_entry(0x200), py_code(2), py_code(3)});
  stack.python_end = WIRE_FAULT_PY_DEPTH;
  EXPECT_EQ(merged(stack, [](uint32_t k) { return k == 1 || k == 3; }),
            "n0 p0 E1 n2 p2 p3 ~p E3 n4");
}

TEST(MergeTest, cut_python_chain_without_known_activation_follows_the_last_one) {
  auto stack = stack_of(0x100, {0x140, 0x240, 0x280, 0}, {py_code(1), py_entry(0x200), py_code(2)});
  stack.python_end = WIRE_FAULT_PY_FRAME_FAULT;
  EXPECT_EQ(merged(stack), "n0 p0 E1 p2 ~p n2 n3");
}

TEST(MergeTest, thread_without_python_state_is_not_marked) {
  auto stack = stack_of(0x100, {0x140, 0}, {});
  stack.python_end = WIRE_FAULT_PY_NO_STATE;
  EXPECT_EQ(merged(stack), "n0 n1");
  stack.python_end = WIRE_FAULT_PY_STATE_FAULT;
  EXPECT_EQ(merged(stack), "n0 n1 ~p");
}

TEST(MergeTest, reason_common_to_both_halves_is_said_once) {
  auto stack = stack_of(0x100, {0}, {});
  stack.native_end = WIRE_FAULT_PROC_UNKNOWN;
  stack.python_end = WIRE_FAULT_PROC_UNKNOWN;
  EXPECT_EQ(merged(stack), "n0 ~n");
}

// Whatever a process puts into its memory: every frame once, each half in order, and in time.
TEST(MergeTest, every_frame_appears_once_and_in_order_for_any_addresses) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    model::RawStack stack;
    stack.sp = random() % 4096;
    for (uint64_t n = random() % 40; n > 0; --n) {
      stack.native.push_back(native_in(0, 1, random() % 4096));
    }
    std::size_t codes = 0;
    for (uint64_t n = random() % 40; n > 0; --n) {
      const bool code = random() % 3 != 0;
      codes += code ? 1 : 0;
      stack.python.push_back(code ? py_code(n) : py_entry(random() % 4096));
    }
    stack.native_end = random() % 2 ? WIRE_FAULT_NATIVE_CFA : 0;
    stack.python_end = random() % 2 ? WIRE_FAULT_PY_DEPTH : 0;
    std::vector<uint32_t> native;
    std::vector<uint32_t> python;
    for (const MergedFrame& frame : merge(stack, [&](uint32_t) { return random() % 4 == 0; })) {
      if (frame.kind == MergedFrame::Kind::kNative || frame.kind == MergedFrame::Kind::kEval) {
        native.push_back(frame.index);
      } else if (frame.kind == MergedFrame::Kind::kPython) {
        python.push_back(frame.index);
      }
    }
    ASSERT_EQ(native.size(), stack.native.size());
    ASSERT_EQ(python.size(), codes);
    ASSERT_TRUE(std::is_sorted(native.begin(), native.end()));
    ASSERT_TRUE(std::is_sorted(python.begin(), python.end()));
  }
}

// ---- CPython up to 3.10: an activation for each Python frame -----------------------------------

bool odd_eval(uint32_t index) {
  return index % 2 == 1;
}

TEST(MergeTest, frame_objects_are_paired_with_activations) {
  const auto stack = stack_of(0x100, {0x110, 0x120, 0x130, 0x140, 0x150, 0x160, 0},
                              {py_activation(1), py_activation(2), py_activation(3)});
  EXPECT_EQ(merged(stack, odd_eval), "n0 p0 E1 n2 p1 E3 n4 p2 E5 n6");
}

TEST(MergeTest, activation_that_has_not_linked_its_frame_has_none) {
  const auto at_even = [](uint32_t index) { return index % 2 == 0; };
  auto stack = stack_of(0x100, {0x110, 0x120, 0x130, 0x140, 0x150, 0x160},
                        {py_activation(1), py_activation(2)});
  EXPECT_EQ(merged(stack, at_even), "n0 n1 p0 E2 n3 p1 E4 n5");
  // interrupted in a function that it calls: it is linked
  EXPECT_EQ(merged(stack, odd_eval), "n0 p0 E1 n2 p1 E3 n4 n5");
  // the rest of either half is unknown: nothing can be counted
  stack.native_end = WIRE_FAULT_NATIVE_DEPTH;
  EXPECT_EQ(merged(stack, at_even), "p0 E0 n1 p1 E2 n3 n4 n5 ~n");
}

TEST(MergeTest, frame_objects_beyond_a_cut_native_stack_follow_it) {
  auto stack = stack_of(0x100, {0x110, 0x120, 0x130},
                        {py_activation(1), py_activation(2), py_activation(3)});
  stack.native_end = WIRE_FAULT_NATIVE_DEPTH;
  EXPECT_EQ(merged(stack, odd_eval), "n0 p0 E1 n2 ~n p1 p2");
}

TEST(MergeTest, frame_objects_without_activations_are_not_lost) {
  const auto stack =
      stack_of(0x100, {0x110, 0x120, 0}, {py_activation(1), py_activation(2), py_activation(3)});
  EXPECT_EQ(merged(stack, odd_eval), "n0 p0 p1 p2 E1 n2");
  EXPECT_EQ(merged(stack), "n0 n1 n2 p0 p1 p2");
}

TEST(MergeTest, cut_chain_of_frame_objects_says_so) {
  auto stack = stack_of(0x100, {0x110, 0x120, 0x130, 0x140, 0}, {py_activation(1)});
  stack.python_end = WIRE_FAULT_PY_FRAME_FAULT;
  EXPECT_EQ(merged(stack, odd_eval), "n0 p0 ~p E1 n2 n3 n4");
}

}  // namespace
}  // namespace pyprof::symbolize
