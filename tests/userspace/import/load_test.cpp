// SPDX-License-Identifier: Apache-2.0
#include "userspace/import/load.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/userspace/aggregate/profile_maker.h"
#include "userspace/aggregate/summary.h"
#include "userspace/base/fd.h"
#include "userspace/export/folded.h"
#include "userspace/export/perf_script.h"
#include "userspace/export/pprof.h"

namespace pyprof::importer {
namespace {

class LoadTest : public testing::Test {
 protected:
  Result<model::Profile> load(const std::string& bytes, const LoadLimits& limits = {}) {
    file_ = Fd(::memfd_create("profile", MFD_CLOEXEC));
    EXPECT_EQ(::write(file_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    return load_profile("/proc/self/fd/" + std::to_string(file_.get()), limits);
  }
  static void expect_same(const model::Profile& before, const Result<model::Profile>& after) {
    ASSERT_TRUE(after) << after.error().message;
    exporter::FoldedOptions options;
    EXPECT_EQ(exporter::to_folded(*after, options), exporter::to_folded(before, options));
    EXPECT_EQ(aggregate::summarize(*after).samples, aggregate::summarize(before).samples);
  }

 private:
  Fd file_;
};

TEST_F(LoadTest, what_is_written_as_pprof_comes_back) {
  for (const auto& profile : {test::service_profile(), test::hostile_profile()}) {
    const auto bytes = exporter::to_pprof(profile);
    ASSERT_TRUE(bytes);
    const auto back = load(*bytes);
    expect_same(profile, back);
    EXPECT_EQ(aggregate::summarize(*back).weight_ns, aggregate::summarize(profile).weight_ns);
    EXPECT_EQ(back->duration_ns, profile.duration_ns);
  }
}

TEST_F(LoadTest, what_is_written_as_folded_comes_back) {
  const auto profile = test::service_profile();
  expect_same(profile, load(exporter::to_folded(profile, {})));
  exporter::FoldedOptions threads;
  threads.threads = true;
  expect_same(profile, load(exporter::to_folded(profile, threads)));
}

TEST_F(LoadTest, what_is_written_as_perf_script_comes_back) {
  const auto profile = test::service_profile();
  expect_same(profile, load(exporter::to_perf_script(profile, {})));
}

TEST_F(LoadTest, limits_hold_for_what_is_inside_a_file_too) {
  const auto bytes = exporter::to_pprof(test::service_profile());
  ASSERT_TRUE(bytes);
  EXPECT_NE(load(*bytes, {64}).error().message.find("larger than"), std::string::npos);
  EXPECT_NE(load(*bytes, {bytes->size() + 1}).error().message.find("larger than"),
            std::string::npos);
}

TEST_F(LoadTest, an_error_names_the_file_and_what_is_wrong) {
  const auto bytes = exporter::to_pprof(test::service_profile());
  EXPECT_NE(load(bytes->substr(0, bytes->size() / 2)).error().message.find("is not whole"),
            std::string::npos);
  EXPECT_NE(load("").error().message.find("is empty"), std::string::npos);
  const auto wrong = load("a;b;c 1\nnonsense\n").error().message;
  EXPECT_NE(wrong.find("/proc/self/fd/"), std::string::npos);
  EXPECT_NE(wrong.find("line 2 is not a folded stack"), std::string::npos);
  const auto missing = load_profile("/nowhere/x.pb.gz");
  EXPECT_EQ(missing.error().errno_value, ENOENT);
}

}  // namespace
}  // namespace pyprof::importer
