// SPDX-License-Identifier: Apache-2.0
#include "userspace/import/pprof.h"

#include <gtest/gtest.h>

#include <protozero/pbf_writer.hpp>
#include <string>
#include <vector>

namespace pyprof::importer {
namespace {

// A profile as another program would write it.
class PprofTest : public testing::Test {
 protected:
  PprofTest() { text(""); }

  int64_t text(const std::string& text) {
    strings_.push_back(text);
    return static_cast<int64_t>(strings_.size() - 1);
  }
  void value_type(uint32_t field, const char* type, const char* unit) {
    const int64_t numbers[] = {text(type), text(unit)};
    protozero::pbf_writer value(out_, field);
    value.add_int64(1, numbers[0]);
    value.add_int64(2, numbers[1]);
  }
  void function(uint64_t id, const char* name, const char* file) {
    const int64_t numbers[] = {text(name), text(file)};
    protozero::pbf_writer message(out_, 5);
    message.add_uint64(1, id);
    message.add_int64(2, numbers[0]);
    message.add_int64(4, numbers[1]);
  }
  void location(uint64_t id, const std::vector<uint64_t>& functions) {
    protozero::pbf_writer message(out_, 4);
    message.add_uint64(1, id);
    for (const uint64_t function : functions) {
      protozero::pbf_writer line(message, 4);
      line.add_uint64(1, function);
      line.add_int64(2, 7);
    }
  }
  void sample(const std::vector<uint64_t>& locations, const std::vector<int64_t>& values) {
    protozero::pbf_writer message(out_, 2);
    for (const uint64_t id : locations)
      message.add_uint64(1, id);  // not packed, as old writers do
    message.add_packed_int64(2, values.begin(), values.end());
  }
  std::string bytes() {
    for (const auto& text : strings_)
      out_.add_string(6, text);
    return bytes_;
  }

  std::string bytes_;
  protozero::pbf_writer out_{bytes_};
  std::vector<std::string> strings_;
};

TEST_F(PprofTest, reads_what_others_write) {
  value_type(1, "samples", "count");
  value_type(1, "cpu", "nanoseconds");
  function(1, "Handler.get", "/srv/app.py");
  function(2, "main", "main.go");
  function(3, "inlined", "main.go");
  location(1, {1});
  location(2, {3, 2});
  sample({1, 2}, {4, 40'000'000});
  const auto profile = from_pprof(bytes());
  ASSERT_TRUE(profile) << profile.error().message;
  ASSERT_EQ(profile->samples.size(), 1u);
  EXPECT_EQ(profile->samples[0].count, 4u);
  EXPECT_EQ(profile->samples[0].weight_ns, 40'000'000u);
  const auto& frames = profile->stacks[0].frames;
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(profile->frames[frames[0]].kind, model::FrameKind::kPython);
  EXPECT_EQ(profile->frames[frames[0]].function, "Handler.get");
  EXPECT_EQ(profile->frames[frames[0]].line, 7u);
  EXPECT_EQ(profile->frames[frames[1]].function, "inlined");
  EXPECT_TRUE(profile->frames[frames[1]].inlined);
  EXPECT_FALSE(profile->frames[frames[2]].inlined);
}

TEST_F(PprofTest, counts_get_their_time_from_the_period) {
  value_type(1, "samples", "count");
  value_type(11, "cpu", "nanoseconds");
  out_.add_int64(12, 10'000'000);
  function(1, "f", "f.py");
  location(1, {1});
  sample({1}, {3});
  const auto profile = from_pprof(bytes());
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_EQ(profile->rate_hz, 100u);
  EXPECT_EQ(profile->samples[0].weight_ns, 30'000'000u);
}

TEST_F(PprofTest, a_heap_profile_is_refused) {
  value_type(1, "inuse_space", "bytes");
  sample({}, {100});
  const auto profile = from_pprof(bytes());
  ASSERT_FALSE(profile);
  EXPECT_NE(profile.error().message.find("no CPU profile"), std::string::npos);
}

TEST_F(PprofTest, numbers_that_point_nowhere_are_unknown) {
  value_type(1, "cpu", "nanoseconds");
  location(1, {99});
  sample({1, 42}, {1'000});
  const auto profile = from_pprof(bytes());
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_EQ(profile->stacks[0].frames.size(), 1u);
  EXPECT_EQ(profile->frames[0].function, "");
}

TEST_F(PprofTest, what_is_cut_is_told) {
  value_type(1, "cpu", "nanoseconds");
  location(1, {1});
  sample({1}, {1'000});
  const std::string all = bytes();
  for (std::size_t n = 1; n < all.size(); ++n)
    (void)from_pprof(all.substr(0, n));
  EXPECT_EQ(from_pprof(all.substr(0, all.size() - 1)).error().message, "is not a pprof profile");
}

}  // namespace
}  // namespace pyprof::importer
