// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/frame_text.h"

#include <gtest/gtest.h>

#include "tests/userspace/aggregate/profile_maker.h"

namespace pyprof::aggregate {
namespace {

class FrameTextTest : public testing::Test {
 protected:
  std::string text(uint32_t frame, const TextOptions& options = {}) {
    return frame_text(maker_.profile(), maker_.profile().frames[frame], options);
  }

  test::ProfileMaker maker_;
};

TEST_F(FrameTextTest, SpellsPython) {
  const uint32_t frame = maker_.python("Server.serve", "/srv/app/main.py", 88, 80);
  EXPECT_EQ(text(frame), "Server.serve (main.py:88)");
  EXPECT_EQ(text(frame, {LineMode::kFirst, false}), "Server.serve (main.py:80)");
  EXPECT_EQ(text(frame, {LineMode::kNone, true}), "Server.serve (/srv/app/main.py)");
}

TEST_F(FrameTextTest, SpellsPythonThatIsNotKnown) {
  EXPECT_EQ(text(maker_.python("", "", 0)), "<unnamed> (?)");
  EXPECT_EQ(text(maker_.python("f", "/a/b.py", 0)), "f (b.py)");
}

TEST_F(FrameTextTest, SpellsNative) {
  const uint32_t libc = maker_.module("/lib/libc.so.6");
  EXPECT_EQ(text(maker_.native("malloc", libc, 0x10)), "malloc [libc.so.6]");
  EXPECT_EQ(text(maker_.native("", libc, 0x3abc)), "0x3abc [libc.so.6]");
  EXPECT_EQ(text(maker_.native("", 0, 0x7f00)), "0x7f00 [unknown]");
  EXPECT_EQ(text(maker_.native("f", 99, 1)), "f [unknown]");
  EXPECT_EQ(text(maker_.native("time", maker_.module("[vdso]"), 1)), "time [vdso]");
  EXPECT_EQ(text(maker_.native("malloc", libc, 1), {LineMode::kCurrent, true}),
            "malloc [/lib/libc.so.6]");
}

TEST_F(FrameTextTest, TablesHaveTheLineOfNativeCode) {
  model::Profile profile;
  profile.modules = {{"/usr/lib/libz.so.1", ""}};
  model::Frame frame;
  frame.function = "deflate";
  frame.module = 1;
  EXPECT_EQ(source_text(profile, frame, 7, false), "[libz.so.1]");
  frame.file = "/build/zlib/deflate.c";
  frame.line = 7;
  EXPECT_EQ(source_text(profile, frame, 7, false), "deflate.c:7 [libz.so.1]");
  EXPECT_EQ(source_text(profile, frame, 7, true), "/build/zlib/deflate.c:7 [/usr/lib/libz.so.1]");
  EXPECT_EQ(source_text(profile, frame, 0, false), "[libz.so.1]");
  EXPECT_EQ(frame_text(profile, frame), "deflate [libz.so.1]") << "stacks keep their spelling";
}

TEST_F(FrameTextTest, SpellsKernelAndMarkers) {
  EXPECT_EQ(text(maker_.kernel("vfs_read", 1)), "vfs_read [kernel]");
  EXPECT_EQ(text(maker_.kernel("", 0xffffffff81000000)), "0xffffffff81000000 [kernel]");
  EXPECT_EQ(text(maker_.marker("[truncated: native_no_rule]")), "[truncated: native_no_rule]");
}

TEST_F(FrameTextTest, NamesThreadsAndProcesses) {
  model::Thread thread{0, 7, "python3", "", 0};
  EXPECT_EQ(thread_text(thread), "thread python3 (7)");
  thread.python_name = "db-pool\n1";
  EXPECT_EQ(thread_text(thread), "thread db-pool 1 (7)");
  model::ProcessInfo process;
  process.pid = 9;
  process.comm = "app";
  EXPECT_EQ(process_text(process), "process app (9)");
}

}  // namespace
}  // namespace pyprof::aggregate
