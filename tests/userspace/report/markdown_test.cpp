// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/markdown.h"

#include <gtest/gtest.h>

namespace pyprof::report {
namespace {

TEST(MarkdownTest, columns_go_into_fenced_blocks) {
  EXPECT_EQ(
      to_markdown(
          "# CPU profile\nclock: on-CPU\n\n## 1 Threads (T)\nid  tid\nT1  42\n\nsamples 3\n",
          false),
      "# CPU profile\n```\nclock: on-CPU\n```\n\n## 1 Threads (T)\n```\nid  tid\nT1  42\n```\n\n"
      "```\nsamples 3\n```\n");
}

TEST(MarkdownTest, no_name_ends_a_block) {
  const std::string text = to_markdown("## 1\nT1 ``` f\nT2 ````\n", false);
  EXPECT_EQ(text, "## 1\n`````\nT1 ``` f\nT2 ````\n`````\n");
}

TEST(MarkdownTest, prompt_comes_last_and_only_if_wanted) {
  EXPECT_EQ(to_markdown("# a\n", false), "# a\n");
  EXPECT_NE(to_markdown("# a\n", true).find("\n## Task\n"), std::string::npos);
}

}  // namespace
}  // namespace pyprof::report
