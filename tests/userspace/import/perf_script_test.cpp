// SPDX-License-Identifier: Apache-2.0
#include "userspace/import/perf_script.h"

#include <gtest/gtest.h>

namespace pyprof::importer {
namespace {

// As perf 6.1 prints it.
constexpr const char* kText =
    "# comment\n"
    "my prog  4242/4243  [001]  1234.567890:   10101010 cpu-clock:pppH: \n"
    "\tffffffff81a00010 do_syscall_64+0x5c ([kernel.kallsyms])\n"
    "\t    7f0012345678 read+0x10 (/usr/lib/libc.so.6)\n"
    "\t    7f0012345999 py::Handler.get:/srv/app.py+0x9 (/tmp/perf-4242.map)\n"
    "\t               0 [unknown] ([unknown])\n"
    "\n"
    "my prog  4242/4243  [001]  1234.577890:   10101010 cpu-clock:pppH: \n"
    "\tffffffff81a00010 do_syscall_64+0x5c ([kernel.kallsyms])\n"
    "\n"
    "other 7 5.0: cycles: \n"
    "\t    55 main+0x1 (/usr/bin/other)\n";

TEST(PerfScriptTest, reads_records_of_perf) {
  ASSERT_TRUE(looks_like_perf_script(kText));
  const auto profile = from_perf_script(kText);
  ASSERT_TRUE(profile) << profile.error().message;
  ASSERT_EQ(profile->threads.size(), 2u);
  EXPECT_EQ(profile->threads[0].tid, 4243);
  EXPECT_EQ(profile->processes[0].pid, 4242);
  EXPECT_EQ(profile->processes[0].comm, "my prog");
  EXPECT_EQ(profile->processes[1].pid, 7);
  EXPECT_EQ(profile->samples[0].weight_ns, 10'101'010u);
  EXPECT_EQ(profile->samples[2].weight_ns, 0u);
  const auto& frames = profile->stacks[0].frames;
  ASSERT_EQ(frames.size(), 4u);
  EXPECT_EQ(profile->frames[frames[0]].kind, model::FrameKind::kKernel);
  EXPECT_EQ(profile->frames[frames[0]].function, "do_syscall_64");
  EXPECT_EQ(profile->frames[frames[1]].function, "read");
  EXPECT_EQ(profile->modules[profile->frames[frames[1]].module - 1].path, "/usr/lib/libc.so.6");
  EXPECT_EQ(profile->frames[frames[2]].function, "py::Handler.get:/srv/app.py");
  EXPECT_EQ(profile->frames[frames[3]].function, "");
}

TEST(PerfScriptTest, other_texts_are_not_taken_for_it) {
  EXPECT_FALSE(looks_like_perf_script("main;work 12\nmain;idle 3\n"));
  EXPECT_FALSE(looks_like_perf_script(""));
  EXPECT_EQ(from_perf_script("\t 7f read (x)\n").error().code, ExitCode::kNoSamples);
}

}  // namespace
}  // namespace pyprof::importer
