// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/jit_dump.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "userspace/base/fd.h"
#include "userspace/symbolize/perf_map.h"

namespace pyprof::symbolize {
namespace {

// Written as the kernel's jitdump-specification.txt says.
class JitDumpTest : public testing::Test {
 protected:
  struct Header {
    uint32_t magic = 0x4a695444, version = 1, bytes = 40, machine = 62, pad = 0, pid = 7;
    uint64_t time = 0, flags = 0;
  };
  struct Prefix {
    uint32_t id, bytes;
    uint64_t time;
  };
  struct Load {
    uint32_t pid, tid;
    uint64_t executed_at, address, bytes, number;
  };
  struct Move {
    uint32_t pid, tid;
    uint64_t executed_at, from, to, bytes, number;
  };

  void put(const void* data, std::size_t bytes) {
    ASSERT_EQ(::write(file_.get(), data, bytes), static_cast<ssize_t>(bytes));
  }
  template <typename T>
  void put(const T& value) {
    put(&value, sizeof(value));
  }
  void put_load(uint64_t address, const std::string& name, std::size_t code_bytes = 32) {
    const std::string rest = name + '\0' + std::string(code_bytes, '\x90');
    put(Prefix{0, static_cast<uint32_t>(sizeof(Prefix) + sizeof(Load) + rest.size()), 0});
    put(Load{7, 7, address, address, code_bytes, 0});
    put(rest.data(), rest.size());
  }
  void put_move(uint64_t from, uint64_t to) {
    put(Prefix{1, sizeof(Prefix) + sizeof(Move), 0});
    put(Move{7, 7, to, from, to, 32, 0});
  }
  PerfMap open() {
    return PerfMap(Fd(::open(("/proc/self/fd/" + std::to_string(file_.get())).c_str(), O_RDONLY)));
  }
  static std::string name(const PerfMap& map, uint64_t pc) {
    const auto hit = map.find(pc);
    return hit ? std::string(hit->name) : "";
  }

  Fd file_{::memfd_create("jitdump", MFD_CLOEXEC)};
};

TEST_F(JitDumpTest, names_code_and_grows) {
  put(Header());
  put_load(0x1000, "py::fib:/srv/app.py");
  PerfMap map = open();
  EXPECT_TRUE(map.read({}));
  EXPECT_EQ(name(map, 0x1000), "py::fib:/srv/app.py");
  EXPECT_EQ(name(map, 0x101f), "py::fib:/srv/app.py");
  EXPECT_EQ(name(map, 0x1020), "");
  EXPECT_FALSE(map.read({})) << "nothing came since";
  put_load(0x2000, "second", 100'000);
  put_load(0x1010, "over it");
  EXPECT_TRUE(map.read({}));
  EXPECT_EQ(name(map, 0x2100), "second");
  EXPECT_EQ(name(map, 0x1004), "") << "part of it was used again";
}

TEST_F(JitDumpTest, code_moves_and_other_records_are_passed) {
  put(Header());
  put(Prefix{4, sizeof(Prefix) + 8, 0});
  put(uint64_t{5});
  put_load(0x1000, "moves");
  put_move(0x1000, 0x5000);
  put_move(0x3000, 0x6000);
  PerfMap map = open();
  map.read({});
  EXPECT_EQ(name(map, 0x5010), "moves");
  EXPECT_EQ(name(map, 0x6010), "");
}

TEST_F(JitDumpTest, a_record_that_is_not_whole_waits) {
  put(Header());
  put_load(0x1000, "first");
  put(Prefix{0, sizeof(Prefix) + sizeof(Load) + 100, 0});
  put(Load{7, 7, 0x2000, 0x2000, 90, 0});
  PerfMap map = open();
  map.read({});
  EXPECT_EQ(map.size(), 1u);
  const std::string rest = "whole now" + std::string(91, '\0');
  put(rest.data(), rest.size());
  EXPECT_TRUE(map.read({}));
  EXPECT_EQ(name(map, 0x2001), "whole now");
}

TEST_F(JitDumpTest, nonsense_ends_it) {
  put(Header());
  put_load(0x1000, "first");
  put(Prefix{0, 3, 0});
  put_load(0x2000, "never reached");
  PerfMap map = open();
  map.read({});
  map.read({});
  EXPECT_EQ(map.size(), 1u);
}

TEST_F(JitDumpTest, limits_hold) {
  put(Header());
  for (uint64_t i = 0; i < 100; ++i)
    put_load(0x1000 + 0x100 * i, std::string(5'000, 'n'));
  PerfMap few = open();
  few.read({.functions = 10});
  EXPECT_EQ(few.size(), 10u);
  EXPECT_LE(name(few, 0x1000).size(), JitDump::kMaxNameBytes);
  PerfMap short_one = open();
  short_one.read({.file_bytes = 10'000});
  EXPECT_LT(short_one.size(), 20u);
}

}  // namespace
}  // namespace pyprof::symbolize
