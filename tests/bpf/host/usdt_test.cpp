// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/bpf/host/fake_kernel.h"
#include "userspace/probe/decode.h"

// Which threads are between two USDT probes, as the kernel side keeps it.
namespace pyprof::bpftest {
namespace {

using model::Gc;
using model::Import;

class UsdtTest : public ::testing::Test {
 protected:
  void SetUp() override {
    kernel_.reset();
    task_.tgid = task_.tid = 500;
    task_.start_ns = 1111;
    task_.exec_id = 3;
  }

  [[nodiscard]] static Import importing(const host_task& task) {
    return probe::labels_of(host_usdt_flags(&task), 0).import;
  }
  [[nodiscard]] static Gc collecting(const host_task& task) {
    return probe::labels_of(host_usdt_flags(&task), 0).gc;
  }

  FakeKernel& kernel_ = FakeKernel::get();
  host_task task_{};
};

TEST_F(UsdtTest, lasts_from_the_outermost_start_to_its_end) {
  EXPECT_EQ(importing(task_), Import::kIdle);
  host_import_start(&task_);
  host_import_start(&task_);
  host_import_done(&task_);
  EXPECT_EQ(importing(task_), Import::kRunning);
  host_import_done(&task_);
  EXPECT_EQ(importing(task_), Import::kIdle);
}

TEST_F(UsdtTest, imports_and_the_collector_are_told_apart) {
  host_import_start(&task_);
  EXPECT_EQ(collecting(task_), Gc::kIdle);
  host_gc_start(&task_);
  EXPECT_EQ(collecting(task_), Gc::kRunning);
  host_import_done(&task_);
  EXPECT_EQ(importing(task_), Import::kIdle);
  EXPECT_EQ(collecting(task_), Gc::kRunning);
  host_gc_done(&task_);
  EXPECT_EQ(collecting(task_), Gc::kIdle);
}

TEST_F(UsdtTest, what_began_before_the_probes_were_there_is_not_counted) {
  host_import_done(&task_);
  EXPECT_EQ(importing(task_), Import::kIdle);
  host_import_start(&task_);
  EXPECT_EQ(importing(task_), Import::kRunning);
}

TEST_F(UsdtTest, exec_in_an_import_ends_it) {
  host_import_start(&task_);
  host_task image = task_;
  image.exec_id = 4;
  EXPECT_EQ(importing(image), Import::kIdle);
  host_import_start(&image);
  host_import_done(&image);
  EXPECT_EQ(importing(image), Import::kIdle);
}

TEST_F(UsdtTest, a_thread_id_used_again_starts_anew) {
  host_task thread = task_;
  thread.tid = 501;
  thread.start_ns = 2222;
  host_gc_start(&thread);
  EXPECT_EQ(collecting(task_), Gc::kIdle);
  thread.start_ns = 3333;
  EXPECT_EQ(collecting(thread), Gc::kIdle);
}

}  // namespace
}  // namespace pyprof::bpftest
