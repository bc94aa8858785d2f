// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/package.h"

#include <gtest/gtest.h>

namespace pyprof::aggregate {
namespace {

std::string package_of(model::FrameKind kind, const std::string& file, uint32_t module = 0) {
  model::Profile profile;
  profile.modules.push_back({"/usr/lib/x86_64-linux-gnu/libc.so.6", ""});
  model::Frame frame;
  frame.kind = kind;
  frame.file = file;
  frame.module = module;
  return package_text(profile, frame);
}

TEST(PackageTest, python_files_belong_to_what_their_folder_says) {
  const auto python = [](const char* file) { return package_of(model::FrameKind::kPython, file); };
  EXPECT_EQ(python("/venv/lib/python3.12/site-packages/numpy/core/x.py"), "numpy");
  EXPECT_EQ(python("/usr/lib/python3/dist-packages/six.py"), "six");
  EXPECT_EQ(python("/usr/lib/python3.11/json/decoder.py"), "stdlib");
  EXPECT_EQ(python("/opt/python/lib/python2.7/re.py"), "stdlib");
  EXPECT_EQ(python("/usr/lib/python311.zip/re.py"), "stdlib");
  EXPECT_EQ(python("<frozen importlib._bootstrap>"), "frozen");
  EXPECT_EQ(python("/srv/lib/pythonic/app.py"), "app");
  EXPECT_EQ(python("<string>"), "app");
  EXPECT_EQ(python(""), "app");
}

TEST(PackageTest, other_code_belongs_to_its_file) {
  EXPECT_EQ(package_of(model::FrameKind::kNative, "", 1), "libc.so.6");
  EXPECT_EQ(package_of(model::FrameKind::kNative, "", 0), "unknown");
  EXPECT_EQ(package_of(model::FrameKind::kNative, "", 9), "unknown");
  EXPECT_EQ(package_of(model::FrameKind::kKernel, ""), "kernel");
  EXPECT_EQ(package_of(model::FrameKind::kMarker, ""), "");
}

}  // namespace
}  // namespace pyprof::aggregate
