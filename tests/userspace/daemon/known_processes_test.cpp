// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/known_processes.h"

#include <gtest/gtest.h>

namespace pyprof::daemon {
namespace {

model::ProcessInfo partial_process() {
  model::ProcessInfo process;
  process.pid = 42;
  process.python_full_version = "3.12.1";
  process.coverage = {1000, 972, {{"python_frame_fault", 21}, {"unnamed_python", 7}}};
  return process;
}

TEST(KnownProcessesTest, come_back_as_they_were) {
  auto unsupported = partial_process();
  unsupported.pid = 43;
  unsupported.python.reason = model::Unsupported::kTableFull;
  unsupported.python.detail = "no \xff room";  // not UTF-8
  const auto known = decode_processes(encode_processes({partial_process(), unsupported}));
  ASSERT_TRUE(known) << known.error().message;
  ASSERT_EQ(known->size(), 2U);
  EXPECT_EQ(known->at(42).coverage.whole, 972U);
  EXPECT_EQ(known->at(42).coverage.flaws, partial_process().coverage.flaws);
  EXPECT_EQ(known->at(42).python.reason, model::Unsupported::kNone);
  EXPECT_EQ(known->at(43).python.reason, model::Unsupported::kTableFull);
}

TEST(KnownProcessesTest, refuses_what_is_no_list_of_processes) {
  for (const char* payload :
       {"", "{}", "[1]", "[{}]", "[{\"pid\":\"1\"}]",
        "[{\"pid\":1,\"version\":1,\"reason\":\"\",\"detail\":\"\",\"samples\":0,\"whole\":0,"
        "\"flaws\":{}}]"}) {
    EXPECT_FALSE(decode_processes(payload)) << payload;
  }
}

TEST(KnownProcessesTest, are_believed_only_of_the_same_version) {
  const auto known = decode_processes(encode_processes({partial_process()}));
  ASSERT_TRUE(known);
  model::ProcessInfo found;
  found.pid = 42;
  found.python_full_version = "3.12.1";
  add_known(*known, found);
  EXPECT_EQ(found.coverage.samples, 1000U);
  model::ProcessInfo other;
  other.pid = 42;
  other.python_full_version = "3.11.2";
  add_known(*known, other);
  EXPECT_EQ(other.coverage.samples, 0U);
}

TEST(KnownProcessesTest, are_none_without_a_daemon) {
  EXPECT_TRUE(ask_processes("/nonexistent/control.sock").empty());
}

}  // namespace
}  // namespace pyprof::daemon
