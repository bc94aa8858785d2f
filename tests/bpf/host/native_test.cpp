// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "tests/bpf/host/fake_kernel.h"
#include "tests/bpf/host/image.h"
#include "tests/bpf/host/reader.h"
#include "tests/bpf/host/stopped_child.h"

// The native unwinder on the stack of a stopped child, against what the child's own unwinder
// (glibc's backtrace) says.
namespace pyprof::bpftest {
namespace {

// Our frames end in the child's own, from tell_and_stop's caller outwards.
void expect_agrees(const std::vector<uint64_t>& ours, const std::vector<uint64_t>& said) {
  ASSERT_GT(said.size(), 2U);
  ASSERT_GE(ours.size(), said.size());
  const auto tail = ours.end() - static_cast<std::ptrdiff_t>(said.size());
  EXPECT_EQ(std::vector<uint64_t>(tail + 1, ours.end()),
            std::vector<uint64_t>(said.begin() + 1, said.end()));
  EXPECT_LT(*tail - said[0], kSameFunctionBytes);
}

void expect_cfas_grow(const Sample& sample) {
  uint64_t sp = sample.head.sp;
  for (const auto& frame : sample.native) {
    const uint64_t cfa = frame.cfa & ~uint64_t{1};
    if (cfa == 0) continue;  // a signal frame, or the last one
    EXPECT_GT(cfa, sp);
    sp = cfa;
  }
}

class NativeUnwindTest : public ::testing::Test {
 protected:
  template <typename Body>
  void start(Body body) {
    child_ = std::make_unique<Child>(body);
    image_ = std::make_unique<Image>(child_->pid());
    ASSERT_EQ(image_->error(), "");
    install(*image_);
  }
  void TearDown() override { FakeKernel::get().reset(); }

  std::optional<Sample> tick(uint64_t kernel_pc = 0) {
    return Reader().read(FakeKernel::get().tick(image_->regs(), kernel_pc));
  }
  void expect_whole_stack() {
    const auto sample = tick();
    ASSERT_TRUE(sample);
    EXPECT_EQ(sample->head.native_end, 0);
    expect_agrees(sample->pcs(), child_->said());
    expect_cfas_grow(*sample);
  }

  std::unique_ptr<Child> child_;
  std::unique_ptr<Image> image_;
};

TEST_F(NativeUnwindTest, recursion_agrees_with_backtrace) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(20, 0); }));
  expect_whole_stack();
}

TEST_F(NativeUnwindTest, frames_of_changing_size_agree_with_backtrace) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(60, 900); }));
  expect_whole_stack();
}

TEST_F(NativeUnwindTest, callback_through_libc_agrees_with_backtrace) {
  ASSERT_NO_FATAL_FAILURE(start(sort_and_stop));
  expect_whole_stack();
}

TEST_F(NativeUnwindTest, signal_handler_agrees_with_backtrace) {
  ASSERT_NO_FATAL_FAILURE(start(signal_and_stop));
  expect_whole_stack();
}

TEST_F(NativeUnwindTest, thread_interrupted_in_the_kernel_has_the_same_user_frames) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(10, 0); }));
  const auto user = tick();
  ASSERT_TRUE(user);
  constexpr uint64_t kKernelPc = 0xffffffff81001234;
  FakeKernel::get().set_kernel_stack({kKernelPc, 0xffffffff81002000, 0xffffffff81003000});
  const auto kernel = tick(kKernelPc);
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->kernel.size(), 3U);
  EXPECT_EQ(kernel->tick.leaf_ip, kKernelPc);
  EXPECT_TRUE(kernel->tick.flags & WIRE_TICK_KERNEL);
  EXPECT_EQ(kernel->pcs(), user->pcs());
}

TEST_F(NativeUnwindTest, second_tick_of_a_stack_is_a_tick_record) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(10, 0); }));
  Reader reader;
  const auto first = reader.read(FakeKernel::get().tick(image_->regs()));
  const auto second = reader.read(FakeKernel::get().tick(image_->regs()));
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(first->is_tick);
  EXPECT_TRUE(second->is_tick);
  EXPECT_EQ(first->pcs(), second->pcs());
}

// A page that is not resident cuts the stack and nothing else.
TEST_F(NativeUnwindTest, missing_page_leaves_a_prefix_and_is_counted) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(60, 900); }));
  FakeKernel& kernel = FakeKernel::get();
  image_->watch();
  const auto whole = tick();
  ASSERT_TRUE(whole);
  const auto pcs = whole->pcs();
  const auto pages = image_->touched();
  ASSERT_GT(pages.size(), 5U);
  for (const uint64_t page : pages) {
    SCOPED_TRACE(page - *pages.begin());
    kernel.forget();
    image_->fault({page});
    const auto cut = tick();
    ASSERT_TRUE(cut);
    EXPECT_EQ(kernel.outcomes(), kernel.counters().ticks);
    const auto frames = cut->pcs();
    ASSERT_LE(frames.size(), pcs.size());
    EXPECT_TRUE(std::equal(frames.begin(), frames.end(), pcs.begin()));
    if (frames.size() == pcs.size()) continue;
    EXPECT_EQ(cut->head.native_end, WIRE_FAULT_NATIVE_FAULT);
    EXPECT_EQ(kernel.counters().faults[WIRE_FAULT_NATIVE_FAULT], 1U);
  }
}

TEST_F(NativeUnwindTest, depth_of_1024_reaches_the_root) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(1000, 0); }));
  ASSERT_GE(child_->said().size(), 1001U);
  expect_whole_stack();
}

TEST_F(NativeUnwindTest, deeper_stack_is_cut_and_still_sent) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(3000, 0); }));
  const auto sample = tick();
  EXPECT_EQ(FakeKernel::get().counters().outcomes[WIRE_OUT_LOST_PROGRAM], 0U);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->head.native_end, WIRE_FAULT_NATIVE_DEPTH);
  EXPECT_GE(sample->native.size(), 1024U);
  const auto frames = sample->pcs();
  const auto& said = child_->said();
  const auto at = std::find(frames.begin(), frames.end(), said[1]);
  ASSERT_NE(at, frames.end());
  EXPECT_TRUE(std::equal(at, frames.end(), said.begin() + 1));
}

TEST_F(NativeUnwindTest, process_without_tables_gives_the_leaf_only) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(3, 0); }));
  FakeKernel& kernel = FakeKernel::get();
  kernel.clear("procs");
  const auto sample = tick();
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->head.native_end, WIRE_FAULT_PROC_UNKNOWN);
  EXPECT_EQ(sample->pcs(), std::vector<uint64_t>{image_->regs().pc});
  EXPECT_EQ(kernel.counters().faults[WIRE_FAULT_PROC_UNKNOWN], 1U);
}

TEST_F(NativeUnwindTest, tables_of_an_older_image_are_not_used) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(3, 0); }));
  host_task after_exec = image_->task();
  after_exec.exec_id++;
  host_set_task(&after_exec);
  const auto sample = tick();
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->head.native_end, WIRE_FAULT_PROC_STALE);
  EXPECT_EQ(sample->native.size(), 1U);
}

}  // namespace
}  // namespace pyprof::bpftest
