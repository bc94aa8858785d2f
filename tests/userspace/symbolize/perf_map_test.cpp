// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/perf_map.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

namespace pyprof::symbolize {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

class PerfMapTest : public testing::Test {
 protected:
  void write(const std::string& text) {
    ASSERT_EQ(::write(file_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  Fd open() { return Fd(::open(path().c_str(), O_RDONLY | O_CLOEXEC)); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(file_.get()); }
  static std::string name(const PerfMap& map, uint64_t pc) {
    const auto hit = map.find(pc);
    return hit ? std::string(hit->name) : "";
  }

  Fd file_{::memfd_create("perf-map", MFD_CLOEXEC)};
};

TEST_F(PerfMapTest, names_ranges_and_nothing_between) {
  write("1000 20 LazyCompile:~fib /srv/app.js:3:12\n0x2000 0x10 Ljava/util/Map;::get\n");
  PerfMap map(open());
  EXPECT_TRUE(map.read({}));
  EXPECT_EQ(name(map, 0x1000), "LazyCompile:~fib /srv/app.js:3:12");
  EXPECT_EQ(name(map, 0x101f), "LazyCompile:~fib /srv/app.js:3:12");
  EXPECT_EQ(map.find(0x101f)->start, 0x1000u);
  EXPECT_EQ(name(map, 0x1020), "");
  EXPECT_EQ(name(map, 0xfff), "");
  EXPECT_EQ(name(map, 0x2008), "Ljava/util/Map;::get");
  EXPECT_FALSE(map.read({})) << "nothing came since";
}

TEST_F(PerfMapTest, later_code_replaces_what_lay_there) {
  write("1000 100 old\n2000 10 other\n1080 100 new\n");
  PerfMap map(open());
  map.read({});
  EXPECT_EQ(name(map, 0x1010), "") << "part of it was used again, so the rest is gone too";
  EXPECT_EQ(name(map, 0x1090), "new");
  EXPECT_EQ(name(map, 0x2000), "other");
}

TEST_F(PerfMapTest, a_line_may_come_in_pieces) {
  write("1000 20 first\n2000 20 sec");
  PerfMap map(open());
  map.read({});
  EXPECT_EQ(name(map, 0x2000), "");
  write("ond\n");
  EXPECT_TRUE(map.read({}));
  EXPECT_EQ(name(map, 0x2000), "second");
}

TEST_F(PerfMapTest, a_file_that_was_written_anew_is_read_anew) {
  write("1000 20 first\n2000 20 second\n");
  PerfMap map(open());
  map.read({});
  ASSERT_EQ(::ftruncate(file_.get(), 0), 0);
  ASSERT_EQ(::lseek(file_.get(), 0, SEEK_SET), 0);
  write("1000 20 third\n");
  map.read({});
  EXPECT_EQ(name(map, 0x1000), "third");
  EXPECT_EQ(name(map, 0x2000), "");
}

TEST_F(PerfMapTest, nonsense_is_passed_over) {
  write(std::string("\n \n1000\n1000 \n1000 20\n1000 20 \nzz 20 a\n1000 zz b\n1000 0 c\n") +
        "ffffffffffffffff 20 wraps\n-1 20 d\n" + std::string(1, '\0') + "1 2 e\n" +
        std::string(100'000, 'x') + "\n3000 10 good\n");
  PerfMap map(open());
  map.read({});
  EXPECT_EQ(map.size(), 1u);
  EXPECT_EQ(name(map, 0x3005), "good");
}

TEST_F(PerfMapTest, size_is_bounded) {
  std::string text;
  for (int i = 1; i <= 1000; ++i) {
    char line[64];
    std::snprintf(line, sizeof(line), "%x000 1000 f%s\n", i, std::string(30, 'n').c_str());
    text += line;
  }
  write(text);
  PerfMapLimits limits;
  limits.functions = 100;
  limits.name_bytes = 8;
  PerfMap few(open());
  few.read(limits);
  EXPECT_EQ(few.size(), 100u);
  EXPECT_EQ(name(few, 0x1000), "fnnnnnnn");
  limits = {};
  limits.file_bytes = 1000;
  PerfMap start(open());
  start.read(limits);
  start.read(limits);
  EXPECT_LT(start.size(), 30u);
  EXPECT_GT(start.size(), 10u);
}

TEST_F(PerfMapTest, looks_at_a_file_at_a_bounded_rate) {
  int opens = 0;
  bool there = false;
  PerfMaps maps(
      [&](model::ProcessId) {
        ++opens;
        return there ? open() : Fd();
      },
      {});
  EXPECT_EQ(maps.refresh(7, kSecond), 0u);
  EXPECT_EQ(maps.refresh(7, 2 * kSecond), 0u);
  EXPECT_EQ(opens, 1);
  there = true;
  write("1000 20 first\n");
  const uint64_t version = maps.refresh(7, 4 * kSecond);
  EXPECT_GT(version, 0u);
  EXPECT_EQ(maps.find(7, 0x1000)->name, "first");
  EXPECT_FALSE(maps.find(8, 0x1000).has_value());
  write("2000 20 second\n");
  EXPECT_EQ(maps.refresh(7, 4 * kSecond + 1), version);
  EXPECT_GT(maps.refresh(7, 5 * kSecond), version);
  EXPECT_EQ(maps.find(7, 0x2000)->name, "second");
  EXPECT_EQ(opens, 2);
  maps.forget(7);
  EXPECT_EQ(maps.bytes(), 0u);
}

TEST_F(PerfMapTest, the_longest_unused_map_goes_when_there_are_too_many) {
  write("1000 20 first\n");
  PerfMapLimits limits;
  limits.processes = 2;
  PerfMaps maps([&](model::ProcessId) { return open(); }, limits);
  maps.refresh(1, kSecond);
  maps.refresh(2, kSecond);
  maps.refresh(1, kSecond);
  maps.refresh(3, kSecond);
  EXPECT_TRUE(maps.find(1, 0x1000).has_value());
  EXPECT_FALSE(maps.find(2, 0x1000).has_value());
  EXPECT_TRUE(maps.find(3, 0x1000).has_value());
}

}  // namespace
}  // namespace pyprof::symbolize
