// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/outputs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace pyprof::cli {
namespace {

using exporter::Format;

class OutputsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "outputs-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string in_folder(const std::string& name) const {
    return (folder_ / name).string();
  }

  std::filesystem::path folder_;
};

std::string content(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_F(OutputsTest, follow_the_suffix_unless_told) {
  const auto plan = plan_outputs({"a.svg", "b.folded", "c.pb.gz", "d", "-"}, "");
  ASSERT_TRUE(plan);
  EXPECT_EQ((*plan)[0].format, Format::kSvg);
  EXPECT_EQ((*plan)[1].format, Format::kFolded);
  EXPECT_EQ((*plan)[2].format, Format::kPprof);
  EXPECT_EQ((*plan)[3].format, Format::kText);
  EXPECT_EQ((*plan)[4].format, Format::kText);
  const auto told = plan_outputs({"a.svg"}, "folded");
  ASSERT_TRUE(told);
  EXPECT_EQ((*told)[0].format, Format::kFolded);
}

TEST_F(OutputsTest, refuse_an_unknown_format_and_a_name_given_twice) {
  const auto plan = plan_outputs({"a"}, "nonsense");
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message.find("nonsense"), std::string::npos);
  EXPECT_NE(plan.error().message.find("folded"), std::string::npos);
  EXPECT_FALSE(plan_outputs({"a", "a"}, ""));
}

TEST_F(OutputsTest, are_checked_without_being_made) {
  EXPECT_TRUE(check_writable({{in_folder("new.svg"), Format::kSvg}}));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  const auto missing = check_writable({{in_folder("no/x.svg"), Format::kSvg}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ExitCode::kUsage);
  EXPECT_NE(missing.error().message.find("x.svg"), std::string::npos);
  EXPECT_FALSE(check_writable({{folder_.string(), Format::kSvg}}));
  EXPECT_FALSE(check_writable({{"", Format::kSvg}}));
  EXPECT_TRUE(check_writable({{"/dev/null", Format::kSvg}, {"-", Format::kText}}));
}

TEST_F(OutputsTest, of_one_format_share_its_rendering) {
  const std::vector<Output> outputs = {{in_folder("a"), Format::kText},
                                       {in_folder("b"), Format::kSvg},
                                       {in_folder("c"), Format::kText}};
  EXPECT_EQ(formats_of(outputs), (std::vector<Format>{Format::kText, Format::kSvg}));
  ASSERT_TRUE(write_outputs(outputs, {"text", "svg"}));
  EXPECT_EQ(content(in_folder("a")), "text");
  EXPECT_EQ(content(in_folder("b")), "svg");
  EXPECT_EQ(content(in_folder("c")), "text");
}

}  // namespace
}  // namespace pyprof::cli
