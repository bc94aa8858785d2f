// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/render.h"

#include <gtest/gtest.h>

#include "tests/userspace/daemon/fake_engine.h"

namespace pyprof::daemon {
namespace {

using exporter::Format;

TEST(RenderTest, gives_one_output_per_format_in_order) {
  RenderRequest request;
  request.formats = {Format::kFolded, Format::kSvg, Format::kText, Format::kPprof};
  const auto outputs = render(testing::two_stacks(), request);
  ASSERT_TRUE(outputs) << outputs.error().message;
  ASSERT_EQ(outputs->size(), 4U);
  EXPECT_EQ((*outputs)[0], "main (main.py:3) 10\nmain (main.py:3);work (main.py:9) 30\n");
  EXPECT_NE((*outputs)[1].find("<svg"), std::string::npos);
  EXPECT_NE((*outputs)[2].find("work"), std::string::npos);
  EXPECT_EQ((*outputs)[3].substr(0, 2), "\x1f\x8b");
}

TEST(RenderTest, shows_whole_paths_and_threads_when_asked) {
  RenderRequest request;
  request.formats = {Format::kFolded};
  request.full_paths = true;
  request.threads = true;
  const auto outputs = render(testing::two_stacks(), request);
  ASSERT_TRUE(outputs);
  EXPECT_EQ((*outputs)[0].substr(0, (*outputs)[0].find('\n')),
            "thread MainThread (42);main (/app/main.py:3) 10");
}

TEST(RenderTest, states_the_quality_in_the_closing_line) {
  EXPECT_EQ(closing_line(testing::two_stacks()),
            "samples 40, lost 0, truncated 5 (12.50 %), unsymbolised 0");
}

TEST(FormatsTest, survive_the_way_to_the_daemon) {
  RenderRequest request;
  for (int format = 0; format <= static_cast<int>(Format::kCsv); ++format)
    request.formats.push_back(static_cast<Format>(format));
  request.full_paths = true;
  request.lines = aggregate::LineMode::kFirst;
  request.table = "packages";
  request.limit = RenderRequest::kMaxLimit;
  const std::string text = encode_formats(request);
  EXPECT_LE(text.size(), 128U);  // the longest that the control protocol takes
  RenderRequest read;
  ASSERT_TRUE(decode_formats(text, read));
  EXPECT_EQ(read.formats, request.formats);
  EXPECT_TRUE(read.full_paths);
  EXPECT_EQ(read.lines, request.lines);
  EXPECT_EQ(read.table, request.table);
  EXPECT_EQ(read.limit, request.limit);
}

TEST(FormatsTest, refuse_what_is_no_format) {
  for (const char* text :
       {"", "nonsense", "text,", "text=0x1", "text=1001", "text=", "full", "="}) {
    RenderRequest request;
    EXPECT_FALSE(decode_formats(text, request)) << text;
  }
}

TEST(OutputsTest, come_apart_as_they_were_joined) {
  const std::vector<std::string> outputs = {"a\nb", "", std::string("\0\n9\n", 4)};
  const auto parts = split_outputs(join_outputs(outputs), outputs.size());
  ASSERT_TRUE(parts);
  EXPECT_EQ(*parts, outputs);
}

TEST(OutputsTest, refuse_a_payload_that_does_not_add_up) {
  EXPECT_FALSE(split_outputs("", 1));
  EXPECT_FALSE(split_outputs("5\nab", 1));
  EXPECT_FALSE(split_outputs("1\nab", 1));
  EXPECT_FALSE(split_outputs("x\nab", 1));
  EXPECT_FALSE(split_outputs("99999999999999999999999\nab", 1));
  EXPECT_FALSE(split_outputs("2\nab", 2));
}

}  // namespace
}  // namespace pyprof::daemon
