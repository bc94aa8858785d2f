// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/probes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "userspace/base/clock.h"
#include "userspace/base/helper_path.h"
#include "userspace/cli/helper.h"

namespace pyprof::cli {
namespace {

constexpr const char* kLine =
    R"x({"provider":"python","name":"gc__start","file":"/usr/bin/python3","semaphore_address":4660,)x"
    R"x("site_count":2,"sites":[{"address":4096,"arguments":["s32 *(sp+112)"]}]})x";

TEST(ParseProbesTest, takes_what_the_helper_prints) {
  const std::string other =
      R"x({"provider":"libc","name":"setjmp","file":"/l","semaphore_address":0,)x"
      R"x("site_count":0,"sites":[]})x";
  const auto probes = parse_probes(std::string(kLine) + "\n" + other + "\n");
  ASSERT_TRUE(probes) << probes.error().message;
  ASSERT_EQ(probes->size(), 2U);
  EXPECT_EQ(probes->front().provider, "libc");  // by name
  const UsdtProbe& python = probes->back();
  EXPECT_EQ(python.name, "gc__start");
  EXPECT_EQ(python.semaphore_address, 4660U);
  EXPECT_EQ(python.site_count, 2U);
  ASSERT_EQ(python.sites.size(), 1U);
  EXPECT_EQ(python.sites[0].address, 4096U);
  EXPECT_EQ(python.sites[0].arguments, std::vector<std::string>{"s32 *(sp+112)"});
  EXPECT_NE(probe_table(*probes).find("python:gc__start      2  yes        s32 *(sp+112)"),
            std::string::npos)
      << probe_table(*probes);
}

TEST(ParseProbesTest, refuses_other_answers) {
  EXPECT_TRUE(parse_probes("")->empty());
  for (const char* line : {"x", "{}", "[]", "\n", R"x({"provider":1})x"}) {
    const auto probes = parse_probes(std::string(kLine) + "\n" + line + "\n");
    ASSERT_FALSE(probes) << line;
    EXPECT_EQ(probes.error().code, ExitCode::kNotSupported);
  }
}

TEST(ProbeTableTest, keeps_hostile_names_on_their_line) {
  UsdtProbe probe;
  probe.provider = "a\nb\x1b[31m";
  probe.name = std::string(100'000, 'n');
  probe.sites = {{1, {"u8 \n"}}};
  const std::string table = probe_table({probe});
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 2) << table;
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_LT(table.size(), 2'000U);
  EXPECT_EQ(probe_table({}), "no USDT probe found\n");
}

TEST(RunHelperTest, returns_what_it_wrote) {
  const auto output = run_helper("/bin/echo", {"a b", "$HOME; c"}, 100, 5'000);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(*output, "a b $HOME; c\n");
}

TEST(RunHelperTest, hands_up_its_error_line_and_code) {
  const auto failed =
      run_helper("/bin/sh", {"-c", "echo gone >&2; echo more >&2; exit 3"}, 9, 5'000);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "gone");
  EXPECT_EQ(failed.error().code, ExitCode::kNoProcess);
  const auto killed = run_helper("/bin/sh", {"-c", "kill -SEGV $$"}, 9, 5'000);
  ASSERT_FALSE(killed);
  EXPECT_NE(killed.error().message.find("signal 11"), std::string::npos);
}

TEST(RunHelperTest, ends_what_takes_too_long_or_says_too_much) {
  const uint64_t begin_ns = monotonic_ns();
  EXPECT_FALSE(run_helper("/bin/sleep", {"60"}, 100, 100));
  EXPECT_FALSE(run_helper("/bin/cat", {"/dev/zero"}, 1 << 20, 30'000));
  EXPECT_LT(monotonic_ns() - begin_ns, 20'000'000'000U);
}

TEST(RunHelperTest, says_what_is_missing) {
  EXPECT_FALSE(run_helper("/nonexistent/helper", {}, 100, 1'000));
  const auto found = find_helper("pyebpf-no-such-helper", "install it again");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ExitCode::kNotSupported);
  EXPECT_NE(found.error().message.find("install it again"), std::string::npos);
}

}  // namespace
}  // namespace pyprof::cli
