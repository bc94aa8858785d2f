// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/pprof.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/userspace/aggregate/profile_maker.h"
#include "tests/userspace/export/tool.h"
#include "userspace/aggregate/view.h"

namespace pyprof::exporter {
namespace {

// Judged by the real pprof, not by our own reading of the format.
class PprofTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::has_tool("go version")) GTEST_SKIP() << "no `go` in PATH: pprof can't be run";
  }

  [[nodiscard]] std::string pprof(const model::Profile& profile, const std::string& flags) const {
    const Result<std::string> bytes = to_pprof(profile);
    EXPECT_TRUE(bytes.ok());
    const std::string file = folder_.write("profile.pb.gz", *bytes);
    const test::ToolResult result = test::run_tool("go tool pprof " + flags + " " + file);
    EXPECT_EQ(result.status, 0) << result.output;
    return result.output;
  }

  test::ScratchFolder folder_;
};

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in:\n" << text;
}

TEST_F(PprofTest, SaysWhatWasMeasured) {
  const std::string raw = pprof(aggregate::apply_view(test::service_profile(), {}), "-raw");
  expect_contains(raw, "PeriodType: cpu nanoseconds");
  expect_contains(raw, "Period: 10000000");
  expect_contains(raw, "Time: 2025-11-24");
  expect_contains(raw, "Duration: 10s");
  expect_contains(raw, "samples/count cpu/nanoseconds");
  expect_contains(raw, "thread:[worker-0]");
  expect_contains(raw, "tid:[4247]");
  expect_contains(raw, "/opt/app/libconv.so.1 bb02 [FN]");
  expect_contains(raw, "Server.serve /srv/app/main.py:88");
}

TEST_F(PprofTest, TotalsAreTheSamplesAndTheirWeight) {
  const model::Profile profile = aggregate::apply_view(test::service_profile(), {});
  const std::string cpu = pprof(profile, "-top -unit=ms");
  expect_contains(cpu, "Type: cpu");
  expect_contains(cpu, "100% of 1000ms total");
  expect_contains(cpu, "400ms 40.00%");
  const std::string samples = pprof(profile, "-top -cum -sample_index=samples");
  expect_contains(samples, "100% of 100 total");
  expect_contains(samples, "97 97.00%  <module>");
  expect_contains(samples, "27 27.00%  fib");
  expect_contains(samples, "conv::run(float*)");
  expect_contains(samples, "0x3abc [libconv.so.1]");
}

TEST_F(PprofTest, InlinedFunctionsAreLinesOfOneLocation) {
  test::ProfileMaker maker;
  const uint32_t thread = maker.thread(maker.process(7, "p"), 7, "p", 0);
  const uint32_t module = maker.module("/opt/lib.so", "cc");
  const uint32_t holder = maker.native("holder", module, 0x100);
  const uint32_t inlined = maker.native("inlined", module, 0x100);
  for (const uint32_t index : {holder, inlined}) {
    maker.profile().frames[index].file = "/src/a.c";
    maker.profile().frames[index].line = index == holder ? 20 : 5;
  }
  maker.profile().frames[inlined].inlined = true;
  maker.sample(thread, {maker.native("main", module, 0x10), holder, inlined}, 3);
  const std::string raw = pprof(maker.profile(), "-raw");
  expect_contains(raw, "0x100 M=2 inlined /src/a.c:5");
  expect_contains(raw, "             holder /src/a.c:20");
  expect_contains(raw, "3   30000000: 1 2");
  expect_contains(raw, "main /opt/lib.so:0");
}

TEST_F(PprofTest, FirstMappingIsTheProgram) {
  expect_contains(pprof(test::service_profile(), "-top"), "File: python3");
}

TEST_F(PprofTest, SurvivesHostileNames) {
  const std::string top = pprof(test::hostile_profile(), "-top -sample_index=samples");
  expect_contains(top, "of 55 total");
  EXPECT_EQ(top.find('\x1b'), std::string::npos);
}

TEST_F(PprofTest, AnEmptyProfileIsValid) {
  expect_contains(pprof(model::Profile{}, "-raw"), "PeriodType: cpu nanoseconds");
}

TEST(PprofBytesTest, TheSameProfileGivesTheSameBytes) {
  EXPECT_EQ(*to_pprof(test::service_profile()), *to_pprof(test::service_profile()));
}

TEST(PprofBytesTest, IsProtobufInGzip) {
  if (!test::has_tool("protoc --version")) GTEST_SKIP() << "no `protoc` in PATH";
  const test::ScratchFolder folder;
  const std::string file = folder.write("p.gz", *to_pprof(test::hostile_profile()));
  const test::ToolResult result = test::run_tool("gzip -dc " + file + " | protoc --decode_raw");
  EXPECT_EQ(result.status, 0) << result.output;
  EXPECT_NE(result.output.find("6: \"nanoseconds\""), std::string::npos) << result.output;
}

}  // namespace
}  // namespace pyprof::exporter
