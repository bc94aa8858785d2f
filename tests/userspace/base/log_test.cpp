// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/log.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace pyprof::log {
namespace {

TEST(LogTest, sanitise_escapes_what_could_forge_a_line_or_drive_a_terminal) {
  EXPECT_EQ(sanitise("comm\nERROR forged"), "comm\\x0aERROR forged");
  EXPECT_EQ(sanitise("\x1b[2J\x7f"), "\\x1b[2J\\x7f");
  EXPECT_EQ(sanitise("\xc2\x9b"), "\\xc2\\x9b");
  EXPECT_EQ(sanitise("a\xff"), "a\\xff");
  EXPECT_EQ(sanitise("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
}

TEST(LogTest, sanitise_caps_the_length) {
  const std::string cut = sanitise(std::string(1 << 20, 'x'));
  EXPECT_LE(cut.size(), 4096u + 3);
  EXPECT_TRUE(cut.ends_with("x..."));
}

TEST(LogTest, messages_go_to_stderr_from_the_level_on) {
  testing::internal::CaptureStderr();
  set_up(Level::kInfo);
  debug("not shown {}", 1);
  info("pid {} is {}", 42, "x\ny");
  set_level(Level::kError);
  warning("not shown either");
  error("braces {{}} in a message: {}", "{0} {nope}");
  const std::string out = testing::internal::GetCapturedStderr();
  EXPECT_NE(out.find("info: pid 42 is x\\x0ay\n"), std::string::npos) << out;
  EXPECT_NE(out.find("error: braces {} in a message: {0} {nope}\n"), std::string::npos) << out;
  EXPECT_EQ(out.find("not shown"), std::string::npos) << out;
}

TEST(RateLimitTest, shows_one_per_interval_and_counts_the_rest) {
  RateLimit limit(1000);
  uint64_t suppressed = 99;
  EXPECT_TRUE(limit.allow(1, suppressed));
  EXPECT_EQ(suppressed, 0u);
  EXPECT_FALSE(limit.allow(2, suppressed));
  EXPECT_FALSE(limit.allow(1000, suppressed));
  EXPECT_TRUE(limit.allow(1001, suppressed));
  EXPECT_EQ(suppressed, 2u);
}

TEST(RateLimitTest, limited_warning_tells_how_many_were_held_back) {
  testing::internal::CaptureStderr();
  set_up(Level::kWarning);
  RateLimit limit(0);
  limited_warning(limit, "ring full");
  RateLimit hour(3'600'000'000'000);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n)
        limited_warning(hour, "many");
    });
  }
  for (auto& thread : threads)
    thread.join();
  const std::string out = testing::internal::GetCapturedStderr();
  EXPECT_NE(out.find("warning: ring full\n"), std::string::npos) << out;
  EXPECT_EQ(out.find("many"), out.rfind("many")) << out;
}

}  // namespace
}  // namespace pyprof::log
