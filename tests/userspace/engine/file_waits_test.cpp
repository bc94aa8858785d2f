// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/file_waits.h"

#include <gtest/gtest.h>

#include <string>

namespace pyprof::engine {
namespace {

using Jobs = std::vector<std::string>;

TEST(FileWaitsTest, a_job_is_done_when_the_last_of_its_files_is_there) {
  FileWaits<std::string> waits;
  waits.reading(1, false);
  waits.reading(2, false);
  waits.wait(10, "both", {1, 2});
  waits.wait(11, "one", {1});
  EXPECT_EQ(waits.done(1), Jobs{"one"});
  EXPECT_EQ(waits.done(2), Jobs{"both"});
  EXPECT_TRUE(waits.empty());
}

TEST(FileWaitsTest, a_file_that_takes_long_holds_up_nothing_else) {
  FileWaits<std::string> waits;
  waits.reading(1, false);
  waits.reading(2, true);
  waits.wait(10, "first", {1, 2});
  EXPECT_EQ(waits.done(1), Jobs{"first"});
  waits.wait(10, "again", {2});
  EXPECT_EQ(waits.done(2), Jobs{"again"});
}

TEST(FileWaitsTest, a_file_that_turns_out_slow_lets_its_jobs_go_on) {
  FileWaits<std::string> waits;
  waits.reading(1, false);
  waits.wait(10, "job", {1});
  EXPECT_EQ(waits.slow(1), Jobs{"job"});
  EXPECT_TRUE(waits.is_reading(1));
  EXPECT_FALSE(waits.empty());
  EXPECT_TRUE(waits.slow(1).empty());
}

TEST(FileWaitsTest, a_process_that_ended_waits_no_more) {
  FileWaits<std::string> waits;
  waits.reading(1, false);
  waits.wait(10, "job", {1});
  waits.forget(10);
  EXPECT_TRUE(waits.done(1).empty());
}

}  // namespace
}  // namespace pyprof::engine
