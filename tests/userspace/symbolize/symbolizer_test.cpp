// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/symbolizer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "bpf/wire.h"
#include "tests/userspace/symbolize/fixtures.h"

// Stand in for functions of an interpreter and of a C extension. Named like CPython's on purpose.
extern "C" {
__attribute__((noinline)) int _PyEval_EvalFrameDefault(int x) {
  return x * 7 + 1;
}
__attribute__((noinline)) int method_vectorcall_O(int x) {
  return x * 11 + 2;
}
__attribute__((noinline)) int list_sort_impl(int x) {
  return x * 13 + 3;
}
__attribute__((noinline)) int quick_compare(int x) {
  return x * 17 + 4;
}
}

namespace pyprof::symbolize {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr model::ProcessId kProcess = 77;
constexpr model::FileId kPythonFile = 1;
constexpr model::FileId kLibraryFile = 2;

class SymbolizerTest : public testing::Test {
 protected:
  void SetUp() override {
    opener_.files[kPythonFile] = {"/proc/self/exe", true};
    opener_.files[kLibraryFile] = {"/proc/self/exe", false};
    kallsyms_ = testing::TempDir() + "symbolizer_kallsyms." + std::to_string(getpid());
    std::ofstream(kallsyms_) << "ffffffff81000000 T do_syscall_64\n"
                                "ffffffff81000100 T vfs_read\n"
                                "ffffffff81000200 T ext4_read\n";
    kernel_.emplace(kallsyms_);
    auto self = elf::ElfFile::open_path("/proc/self/exe");
    ASSERT_TRUE(self) << self.error().message;
    self_.emplace(std::move(*self));
    reset();
  }
  void TearDown() override { std::filesystem::remove(kallsyms_); }

  void reset(const SymbolizerLimits& limits = {}) {
    symbolizer_.emplace(opener_, *kernel_, limits);
  }

  uint64_t address_of(const char* function) { return self_->find_symbol(function)->address; }

  // A return address in the function.
  model::NativeFrame frame_of(model::FileId file, const char* function, uint64_t cfa) {
    return native_in(file, address_of(function) + 3, cfa);
  }

  void add_code(uint64_t id, const std::string& qualname, uint32_t first_line) {
    model::CodeObject code;
    code.process = kProcess;
    code.id = id;
    code.qualname = qualname;
    code.filename = "/srv/app.py";
    code.first_line = first_line;
    code.version = 3 << 8 | 12;
    // Four code units on the first line, then four on the next.
    code.line_table = std::string("\x83\x00\xdb\x00\x00", 5);
    code.line_table_bytes = 5;
    symbolizer_->add_code(std::move(code));
  }

  // <module> calls outer, which sorts with a Python key function.
  model::RawStack sort_stack() {
    model::RawStack stack;
    stack.key = 5;
    stack.process = kProcess;
    stack.sp = 0x1000;
    stack.native = {frame_of(kLibraryFile, "quick_compare", 0x1100),
                    frame_of(kPythonFile, "_PyEval_EvalFrameDefault", 0x1300),
                    frame_of(kPythonFile, "method_vectorcall_O", 0x1400),
                    frame_of(kPythonFile, "list_sort_impl", 0x1500),
                    frame_of(kPythonFile, "_PyEval_EvalFrameDefault", 0x1700),
                    frame_of(kPythonFile, "main", 0)};
    stack.native[0].exact = true;
    stack.python = {py_code(3, 0), py_entry(0x1280), py_code(2, 8), py_code(1, 0),
                    py_entry(0x1680)};
    return stack;
  }

  static model::RawSample sample_of(const model::RawStack& stack) {
    model::RawSample sample;
    sample.key = stack.key;
    sample.process = stack.process;
    sample.time_ns = kSecond;
    if (!stack.native.empty()) {
      sample.leaf = stack.native[0].where;
    }
    return sample;
  }

  void add_sort_stack() {
    add_code(1, "<module>", 1);
    add_code(2, "outer", 10);
    add_code(3, "outer.<locals>.key", 20);
    symbolizer_->add_stack(sort_stack());
  }

  // main() calls holder(), into which in() is inlined.
  std::vector<model::NativeFrame> inlining_program() {
    const std::string path = testing::TempDir() + "symbolizer_inlined." + std::to_string(getpid());
    std::ofstream(path + ".c") << "volatile int sink;\n"
                                  "static inline __attribute__((always_inline)) void in(int x) {\n"
                                  "  sink = x; sink = x; sink = x;\n"
                                  "}\n"
                                  "void holder(int x) {\n"
                                  "  in(x);\n"
                                  "}\n"
                                  "int main(int c, char **v) { holder(c); return 0; }\n";
    EXPECT_EQ(std::system(("gcc -g -O1 -o " + path + " " + path + ".c").c_str()), 0);
    opener_.files[kLibraryFile] = {path, false, path};
    const auto file = elf::ElfFile::open_path(path);
    return {native_in(kLibraryFile, file->find_symbol("holder")->address + 2, 0x100),
            native_in(kLibraryFile, file->find_symbol("main")->address + 6, 0)};
  }

  // "kind:function:line", innermost first.
  std::vector<std::string> frames_of(const SymbolizedSample& sample) {
    static const char* const kKinds[] = {"py", "native", "interp", "kernel", "marker"};
    std::vector<std::string> names;
    for (const uint32_t id : symbolizer_->stack(sample.stack_id).frames) {
      const model::Frame& frame = symbolizer_->frame(id);
      names.push_back(std::string(kKinds[static_cast<int>(frame.kind)]) + ":" + frame.function +
                      (frame.line ? ":" + std::to_string(frame.line) : ""));
    }
    return names;
  }

  using Names = std::vector<std::string>;
  FakeOpener opener_;
  std::string kallsyms_;
  std::optional<KernelSymbols> kernel_;
  std::optional<elf::ElfFile> self_;
  std::optional<Symbolizer> symbolizer_;
};

TEST_F(SymbolizerTest, names_a_stack_with_re_entry_through_c) {
  add_sort_stack();
  const auto sample = symbolizer_->symbolize(sample_of(sort_stack()));
  ASSERT_TRUE(sample);
  EXPECT_EQ(
      frames_of(*sample),
      (Names{"native:quick_compare", "py:outer.<locals>.key:20", "interp:_PyEval_EvalFrameDefault",
             "interp:method_vectorcall_O", "native:list_sort_impl", "py:outer:11", "py:<module>:1",
             "interp:_PyEval_EvalFrameDefault", "interp:main"}));
  EXPECT_FALSE(sample->truncated_native || sample->truncated_python || sample->unnamed_python ||
               sample->unnamed_native || sample->overflow);
}

TEST_F(SymbolizerTest, frames_carry_file_module_and_start) {
  add_sort_stack();
  const auto sample = symbolizer_->symbolize(sample_of(sort_stack()));
  const auto& frames = symbolizer_->stack(sample->stack_id).frames;
  const model::Frame& native = symbolizer_->frame(frames[0]);
  EXPECT_EQ(native.address, address_of("quick_compare"));
  EXPECT_EQ(native.file, "") << "no debug information was given";
  ASSERT_NE(native.module, 0u);
  EXPECT_EQ(symbolizer_->module(native.module - 1).build_id, "build-id");
  const model::Frame& python = symbolizer_->frame(frames[1]);
  EXPECT_EQ(python.file, "/srv/app.py");
  EXPECT_EQ(python.first_line, 20u);
}

TEST_F(SymbolizerTest, unknown_stack_or_one_of_another_process_is_refused) {
  add_sort_stack();
  model::RawSample sample = sample_of(sort_stack());
  sample.key = 6;
  EXPECT_FALSE(symbolizer_->symbolize(sample));
  sample = sample_of(sort_stack());
  sample.process = kProcess + 1;
  EXPECT_FALSE(symbolizer_->symbolize(sample));
}

TEST_F(SymbolizerTest, leaf_position_comes_from_the_sample) {
  add_sort_stack();
  model::RawSample sample = sample_of(sort_stack());
  const uint32_t first = symbolizer_->symbolize(sample)->stack_id;
  sample.leaf.address += 1;
  EXPECT_EQ(symbolizer_->symbolize(sample)->stack_id, first) << "the same function";
  sample.leaf = {kLibraryFile, address_of("list_sort_impl"), 0};
  sample.python_leaf = true;
  sample.leaf_lasti = 8;
  const auto moved = symbolizer_->symbolize(sample);
  EXPECT_NE(moved->stack_id, first);
  EXPECT_EQ(frames_of(*moved)[0], "native:list_sort_impl");
  EXPECT_EQ(frames_of(*moved)[1], "py:outer.<locals>.key:21");
  EXPECT_EQ(frames_of(*moved)[5], "py:outer:11") << "only the innermost Python frame moves";
  EXPECT_EQ(symbolizer_->symbolize(sample_of(sort_stack()))->stack_id, first);
}

TEST_F(SymbolizerTest, kernel_frames_come_first_and_their_leaf_moves) {
  add_sort_stack();
  model::RawStack stack = sort_stack();
  stack.kernel = {0xffffffff81000110, 0xffffffff81000020};
  symbolizer_->add_stack(stack);
  model::RawSample sample = sample_of(stack);
  sample.kernel_leaf = true;
  sample.leaf = {0, 0xffffffff81000204, 0xffffffff81000204};
  const auto names = frames_of(*symbolizer_->symbolize(sample));
  EXPECT_EQ(names[0], "kernel:ext4_read");
  EXPECT_EQ(names[1], "kernel:do_syscall_64");
  EXPECT_EQ(names[2], "native:quick_compare");
}

TEST_F(SymbolizerTest, call_at_the_end_of_a_function_belongs_to_the_caller) {
  add_sort_stack();
  model::RawStack stack = sort_stack();
  stack.native[5].where.address = address_of("list_sort_impl");
  stack.native[5].exact = true;
  symbolizer_->add_stack(stack);
  EXPECT_EQ(frames_of(*symbolizer_->symbolize(sample_of(stack))).back(), "native:list_sort_impl");
  stack.native[5].exact = false;
  symbolizer_->add_stack(stack);
  EXPECT_NE(frames_of(*symbolizer_->symbolize(sample_of(stack))).back(), "native:list_sort_impl");
}

TEST_F(SymbolizerTest, cut_stack_says_where_and_why) {
  add_sort_stack();
  model::RawStack stack = sort_stack();
  stack.native.resize(3);
  stack.native_end = WIRE_FAULT_NATIVE_NO_RULE;
  symbolizer_->add_stack(stack);
  const auto sample = symbolizer_->symbolize(sample_of(stack));
  EXPECT_TRUE(sample->truncated_native);
  EXPECT_FALSE(sample->truncated_python);
  EXPECT_EQ(frames_of(*sample),
            (Names{"native:quick_compare", "py:outer.<locals>.key:20",
                   "interp:_PyEval_EvalFrameDefault", "interp:method_vectorcall_O",
                   "marker:[truncated: native_no_rule]", "py:outer:11", "py:<module>:1"}));
}

TEST_F(SymbolizerTest, cut_python_chain_is_marked_where_frames_are_missing) {
  add_sort_stack();
  model::RawStack stack = sort_stack();
  stack.python.resize(3);
  stack.python_end = WIRE_FAULT_PY_DEPTH;
  symbolizer_->add_stack(stack);
  const auto sample = symbolizer_->symbolize(sample_of(stack));
  EXPECT_TRUE(sample->truncated_python);
  EXPECT_EQ(frames_of(*sample),
            (Names{"native:quick_compare", "py:outer.<locals>.key:20",
                   "interp:_PyEval_EvalFrameDefault", "interp:method_vectorcall_O",
                   "native:list_sort_impl", "py:outer:11", "marker:[truncated: python_depth]",
                   "interp:_PyEval_EvalFrameDefault", "interp:main"}));
}

TEST_F(SymbolizerTest, code_that_comes_later_completes_the_stack) {
  symbolizer_->add_stack(sort_stack());
  model::RawSample sample = sample_of(sort_stack());
  const auto before = symbolizer_->symbolize(sample);
  EXPECT_TRUE(before->unnamed_python);
  EXPECT_EQ(frames_of(*before)[1], "py:");
  add_sort_stack();
  sample.time_ns += kSecond;
  const auto after = symbolizer_->symbolize(sample);
  EXPECT_FALSE(after->unnamed_python);
  EXPECT_EQ(frames_of(*after)[1], "py:outer.<locals>.key:20");
}

TEST_F(SymbolizerTest, says_for_a_while_that_missing_code_may_still_come) {
  model::RawStack stack = sort_stack();
  model::RawSample sample = sample_of(stack);
  stack.time_ns = sample.time_ns;
  symbolizer_->add_stack(stack);
  EXPECT_TRUE(symbolizer_->symbolize(sample)->may_improve);
  EXPECT_FALSE(symbolizer_->symbolize(sample, sample.time_ns + kSecond)->may_improve);
  add_sort_stack();
  const auto after = symbolizer_->symbolize(sample, sample.time_ns + kSecond / 4);
  EXPECT_FALSE(after->may_improve);
  EXPECT_EQ(frames_of(*after)[1], "py:outer.<locals>.key:20");
}

TEST_F(SymbolizerTest, unreadable_code_is_an_unnamed_python_frame) {
  add_sort_stack();
  model::RawStack stack = sort_stack();
  stack.python[2].kind = model::PythonFrame::Kind::kUnreadable;
  symbolizer_->add_stack(stack);
  const auto sample = symbolizer_->symbolize(sample_of(stack));
  EXPECT_TRUE(sample->unnamed_python);
  EXPECT_EQ(frames_of(*sample)[5], "py:");
}

TEST_F(SymbolizerTest, unknown_code_of_an_interpreter_is_internal_elsewhere_it_is_native) {
  model::RawStack stack;
  stack.key = 9;
  stack.process = kProcess;
  stack.native = {native_in(kLibraryFile, 3, 0x100), native_in(kPythonFile, 5, 0)};
  symbolizer_->add_stack(stack);
  const auto sample = symbolizer_->symbolize(sample_of(stack));
  EXPECT_EQ(frames_of(*sample), (Names{"native:", "interp:"}));
  EXPECT_TRUE(sample->unnamed_native);
}

TEST_F(SymbolizerTest, perf_trampoline_beside_the_eval_loop_is_internal) {
  add_sort_stack();
  model::RawStack stack = sort_stack();
  stack.native[2] = native_in(0, 0x7f0000001234, 0x1400);
  symbolizer_->add_stack(stack);
  EXPECT_EQ(frames_of(*symbolizer_->symbolize(sample_of(stack)))[3], "interp:");
  stack.native[2] = frame_of(kPythonFile, "method_vectorcall_O", 0x1350);
  stack.native.insert(stack.native.begin() + 3, native_in(0, 0x7f0000001234, 0x1400));
  symbolizer_->add_stack(stack);
  EXPECT_EQ(frames_of(*symbolizer_->symbolize(sample_of(stack)))[4], "native:")
      << "generated code that is called like an extension is shown";
}

TEST_F(SymbolizerTest, jit_code_is_named_by_the_perf_map_as_of_now) {
  const std::string path = testing::TempDir() + "symbolizer_perf_map." + std::to_string(getpid());
  std::ofstream(path) << "7f0000001000 100 hot.js:1\n";
  opener_.perf_maps[kProcess] = path;
  model::RawStack stack;
  stack.key = 9;
  stack.process = kProcess;
  stack.time_ns = kSecond;
  stack.native = {native_in(0, 0x7f0000001010, 0x100), native_in(0, 0x7f0000002000, 0)};
  symbolizer_->add_stack(stack);
  auto first = symbolizer_->symbolize(sample_of(stack));
  EXPECT_EQ(frames_of(*first), (Names{"native:hot.js:1", "native:"}));
  EXPECT_TRUE(first->may_improve);
  const auto& frame = symbolizer_->frame(symbolizer_->stack(first->stack_id).frames[0]);
  EXPECT_EQ(symbolizer_->module(frame.module - 1).path, "[jit]");
  EXPECT_EQ(frame.address, 0x7f0000001000u);
  // The caller returns to the first byte after its function; the other address is used again.
  std::ofstream(path, std::ios::app) << "7f0000001f00 100 caller.js:2\n7f0000001000 80 new.js:3\n";
  const auto later = symbolizer_->symbolize(sample_of(stack), 2 * kSecond);
  EXPECT_EQ(frames_of(*later), (Names{"native:new.js:3", "native:caller.js:2"}));
  std::filesystem::remove(path);
}

TEST_F(SymbolizerTest, inlined_functions_are_frames_before_the_one_they_are_in) {
  model::RawStack stack;
  stack.key = 9;
  stack.process = kProcess;
  stack.time_ns = kSecond;
  stack.native = inlining_program();
  symbolizer_->add_stack(stack);
  const auto first = symbolizer_->symbolize(sample_of(stack));
  EXPECT_EQ(frames_of(*first), (Names{"native:holder", "native:main"}));
  EXPECT_TRUE(first->may_improve) << "nobody waits for lines";
  symbolizer_->wait_for_lines(kSecond, 20 * kSecond);
  const auto later = symbolizer_->symbolize(sample_of(stack), 2 * kSecond);
  EXPECT_EQ(frames_of(*later), (Names{"native:in:3", "native:holder:6", "native:main:8"}));
  EXPECT_FALSE(later->may_improve);
  const auto& frames = symbolizer_->stack(later->stack_id).frames;
  EXPECT_TRUE(symbolizer_->frame(frames[0]).inlined);
  EXPECT_EQ(symbolizer_->frame(frames[0]).first_line, 2u);
  EXPECT_EQ(symbolizer_->frame(frames[0]).address, symbolizer_->frame(frames[1]).address);
  EXPECT_FALSE(symbolizer_->frame(frames[1]).inlined);
  EXPECT_EQ(symbolizer_->frame(frames[1]).file, opener_.files[kLibraryFile].path + ".c");
}

TEST_F(SymbolizerTest, functions_inlined_into_an_activation_work_for_its_python_frames) {
  model::RawStack stack;
  stack.key = 9;
  stack.process = kProcess;
  stack.time_ns = kSecond;
  stack.sp = 0x80;
  stack.native = inlining_program();
  stack.python = {py_code(2, 8), py_entry(0x90)};
  add_code(2, "outer", 10);
  symbolizer_->add_stack(stack);
  symbolizer_->symbolize(sample_of(stack));
  symbolizer_->wait_for_lines(kSecond, 20 * kSecond);
  const auto later = symbolizer_->symbolize(sample_of(stack), 2 * kSecond);
  EXPECT_EQ(frames_of(*later),
            (Names{"interp:in:3", "py:outer:11", "interp:holder:6", "native:main:8"}));
}

TEST_F(SymbolizerTest, new_epoch_starts_with_empty_tables_and_keeps_the_stacks) {
  add_sort_stack();
  const auto names = frames_of(*symbolizer_->symbolize(sample_of(sort_stack())));
  symbolizer_->start_epoch();
  const auto again = symbolizer_->symbolize(sample_of(sort_stack()));
  ASSERT_TRUE(again);
  EXPECT_EQ(frames_of(*again), names);
}

TEST_F(SymbolizerTest, full_tables_give_markers_and_say_so) {
  reset({.max_frames = 4});
  add_sort_stack();
  const auto sample = symbolizer_->symbolize(sample_of(sort_stack()));
  EXPECT_TRUE(symbolizer_->tables_full());
  EXPECT_TRUE(sample->overflow);
  EXPECT_EQ(frames_of(*sample).back(), "marker:[truncated: frame_table_full]");
  reset({.max_stacks = 1});
  add_sort_stack();
  const auto other = symbolizer_->symbolize(sample_of(sort_stack()));
  EXPECT_TRUE(other->overflow);
  EXPECT_EQ(other->stack_id, 0u);
}

TEST_F(SymbolizerTest, dropped_stacks_are_reported_for_the_kernel_to_forget) {
  reset({.raw_stack_bytes = 20'000});
  for (model::StackKey key = 1; key <= 100; ++key) {
    model::RawStack stack = sort_stack();
    stack.key = key;
    symbolizer_->add_stack(stack);
  }
  const auto evicted = symbolizer_->take_evicted();
  ASSERT_GT(evicted.size(), 50u);
  EXPECT_EQ(evicted.front(), 1u);
  model::RawSample sample = sample_of(sort_stack());
  sample.key = 1;
  EXPECT_FALSE(symbolizer_->symbolize(sample));
  sample.key = 100;
  EXPECT_TRUE(symbolizer_->symbolize(sample));
}

TEST_F(SymbolizerTest, process_is_forgotten_some_time_after_its_exit) {
  add_sort_stack();
  symbolizer_->process_exited(kProcess, 100 * kSecond);
  symbolizer_->expire(105 * kSecond);
  EXPECT_TRUE(symbolizer_->symbolize(sample_of(sort_stack())));
  symbolizer_->expire(110 * kSecond);
  EXPECT_FALSE(symbolizer_->symbolize(sample_of(sort_stack())));
  EXPECT_EQ(symbolizer_->take_evicted(), std::vector<model::StackKey>{5});
}

}  // namespace
}  // namespace pyprof::symbolize
