// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/format.h"

#include <gtest/gtest.h>

namespace pyprof::exporter {
namespace {

TEST(FormatTest, ParsesItsNames) {
  for (const Format format :
       {Format::kText, Format::kFolded, Format::kSvg, Format::kHtml, Format::kPprof}) {
    const Result<Format> parsed = parse_format(format_name(format));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, format);
  }
  EXPECT_EQ(*parse_format("flamegraph"), Format::kSvg);
  EXPECT_EQ(*parse_format("raw"), Format::kFolded);
}

TEST(FormatTest, RefusesOthersAndNamesTheKnown) {
  const Result<Format> parsed = parse_format("gif\n");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code, ExitCode::kUsage);
  EXPECT_EQ(parsed.error().message,
            "unknown format 'gif ': use text, folded, svg, html, pprof, speedscope, "
            "callgrind, pstats, gecko, perf, json, csv or md");
}

TEST(FormatTest, InfersFromTheSuffix) {
  EXPECT_EQ(infer_format("/tmp/a.svg"), Format::kSvg);
  EXPECT_EQ(infer_format("a.html"), Format::kHtml);
  EXPECT_EQ(infer_format("a.folded"), Format::kFolded);
  EXPECT_EQ(infer_format("a.txt"), Format::kText);
  EXPECT_EQ(infer_format("profile.pb.gz"), Format::kPprof);
  EXPECT_EQ(infer_format("profile.gz"), std::nullopt);
  EXPECT_EQ(infer_format("-"), std::nullopt);
}

}  // namespace
}  // namespace pyprof::exporter
