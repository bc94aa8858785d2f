// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/svg.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/userspace/aggregate/profile_maker.h"
#include "tests/userspace/export/tool.h"
#include "userspace/aggregate/view.h"
#include "userspace/export/svg_layout.h"

namespace pyprof::exporter {
namespace {

// Reads the file as XML; every box must lie on one of the row below, boxes of a row must not
// overlap, and no element may have come out of a name. Prints the width by row, root first.
constexpr const char* kChecker = R"py(
import sys, xml.etree.ElementTree as ET
ns = '{http://www.w3.org/2000/svg}'
root = ET.parse(sys.argv[1]).getroot()
known = {ns + t for t in ('svg', 'title', 'style', 'rect', 'text', 'g', 'script')}
assert {e.tag for e in root.iter()} <= known
assert len(root.findall('.//' + ns + 'script')) == 1
rows = {}
for group in root.find(ns + "g[@id='frames']"):
    rect = group.find(ns + 'rect')
    x, y, w = (float(rect.get(k)) for k in ('x', 'y', 'width'))
    rows.setdefault(y, []).append((x, x + w))
    assert len(group.find(ns + 'title').text.split('\n')) == 2
below = None
for y in sorted(rows, reverse=True):
    row = sorted(rows[y])
    for a, b in zip(row, row[1:]):
        assert a[1] <= b[0] + 0.001, (y, a, b)
    if below:
        for a in row:
            assert any(b[0] - 0.001 <= a[0] and a[1] <= b[1] + 0.001 for b in below), (y, a)
    below = row
    print('%.1f' % sum(b - a for a, b in row), end=' ')
)py";

class SvgTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::has_tool("python3 --version")) GTEST_SKIP() << "no `python3` to read XML with";
  }

  [[nodiscard]] std::string row_widths(const std::string& svg) const {
    const std::string checker = folder_.write("check.py", kChecker);
    const std::string file = folder_.write("graph.svg", svg);
    const test::ToolResult result = test::run_tool("python3 " + checker + " " + file);
    EXPECT_EQ(result.status, 0) << result.output;
    return result.output;
  }

  test::ScratchFolder folder_;
};

TEST_F(SvgTest, WidthsAreShares) {
  const std::string svg = to_svg(aggregate::apply_view(test::service_profile(), {}), {});
  // all 100 %, first frames 100 %, serve and fib 97 %, the calls of both 90 %, fault and fib 30 %.
  EXPECT_EQ(row_widths(svg), "1180.0 1180.0 1144.6 1062.0 354.0 ");
}

TEST_F(SvgTest, ThreadsHaveARow) {
  SvgOptions options;
  options.threads = true;
  const std::string svg = to_svg(aggregate::apply_view(test::service_profile(), {}), options);
  EXPECT_NE(svg.find("<title>thread worker-0 (4247)\n70 samples · 70.00 % total · 0.00 % self"),
            std::string::npos);
  EXPECT_EQ(row_widths(svg), "1180.0 1180.0 1180.0 1144.6 1062.0 354.0 ");
}

TEST_F(SvgTest, HostileNamesStayText) {
  SvgOptions options;
  options.title = test::kHostileNames[0];
  const std::string svg = to_svg(test::hostile_profile(), options);
  EXPECT_NE(row_widths(svg), "");
  EXPECT_EQ(svg.find("<script>alert"), std::string::npos);
}

TEST_F(SvgTest, SharesAreByCountWithoutWeights) {
  model::Profile profile = aggregate::apply_view(test::service_profile(), {});
  for (model::Sample& sample : profile.samples)
    sample.weight_ns = 0;
  EXPECT_EQ(row_widths(to_svg(profile, {})), "1180.0 1180.0 1144.6 1062.0 354.0 ");
}

TEST_F(SvgTest, AnEmptyProfileIsAValidPicture) {
  EXPECT_EQ(row_widths(to_svg(model::Profile{}, {})), "1180.0 ");
}

TEST_F(SvgTest, LeavesOutWhatCannotBeSeenAndKeepsToItsCap) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(1, "app"), 1, "app");
  maker.sample(thread, {maker.python("big", "a.py", 1)}, 1'000'000);
  for (uint32_t i = 0; i < 500; ++i)
    maker.sample(thread, {maker.python("some", "a.py", i)}, 1'000);
  maker.sample(thread, {maker.python("tiny", "a.py", 1)}, 10);
  const std::string svg = to_svg(maker.profile(), {});
  EXPECT_EQ(svg.find("tiny"), std::string::npos);
  EXPECT_NE(svg.find("some (a.py:499)"), std::string::npos);
  SvgOptions options;
  options.max_boxes = 100;
  EXPECT_EQ(row_widths(to_svg(maker.profile(), options)), "1180.0 786.7 ");
}

TEST(SvgLayoutTest, FitsTextByCells) {
  EXPECT_EQ(fit_text("abcdef", 6), "abcdef");
  EXPECT_EQ(fit_text("abcdef", 5), "abcd\xe2\x80\xa6");
  EXPECT_EQ(fit_text("abcdef", 2), "");
  EXPECT_EQ(fit_text("\xe5\x87\xbd\xe6\x95\xb0\xe5\x87\xbd", 6),
            "\xe5\x87\xbd\xe6\x95\xb0\xe5\x87\xbd");
  EXPECT_EQ(fit_text("\xe5\x87\xbd\xe6\x95\xb0\xe5\x87\xbd", 5),
            "\xe5\x87\xbd\xe6\x95\xb0\xe2\x80\xa6");
}

TEST(SvgLayoutTest, ColorsTellTheFunctionNotTheLine) {
  using model::FrameKind;
  const std::string color = flame_color({FrameKind::kPython, "f (a.py:1)"});
  EXPECT_EQ(color, flame_color({FrameKind::kPython, "f (a.py:2)"}));
  EXPECT_NE(color, flame_color({FrameKind::kNative, "f [a.so]"}));
  EXPECT_EQ(color.size(), 7U);
}

TEST(SvgLayoutTest, EscapesXml) {
  EXPECT_EQ(xml_escape("<a b=\"c\">&'"), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
}

}  // namespace
}  // namespace pyprof::exporter
