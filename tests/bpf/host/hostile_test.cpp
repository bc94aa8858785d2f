// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/bpf/host/fake_kernel.h"
#include "tests/bpf/host/python_target.h"
#include "tests/bpf/host/reader.h"

// A process that writes what it likes over its own interpreter: it may spoil its own stacks and
// nothing else. Most telling with -DPYPROF_SANITIZE=address,undefined.
namespace pyprof::bpftest {
namespace {

constexpr int kRounds = 400;
constexpr int kMaxWords = 24;
constexpr uint32_t kSeed = 20240229;

class Vandal {
 public:
  explicit Vandal(Image& image)
      : image_(image), pages_(image.touched().begin(), image.touched().end()) {}

  void strike() {
    const int words = 1 + static_cast<int>(random_() % kMaxWords);
    for (int i = 0; i < words; ++i) {
      const uint64_t value = any_value();
      image_.poke(any_address() & ~uint64_t{7}, &value, sizeof(value));
    }
  }
  // A word of a page that the programs read.
  uint64_t any_address() { return pages_[random_() % pages_.size()] + random_() % kPageBytes; }

 private:
  uint64_t any_value() {
    switch (random_() % 5) {
      case 0:
        return random_() % 64;
      case 1:
        return any_address();
      case 2:
        return ~uint64_t{0} >> random_() % 64;
      case 3:
        return uint64_t{1} << random_() % 64;
      default:
        return random_();
    }
  }

  Image& image_;
  std::vector<uint64_t> pages_;
  std::mt19937_64 random_{kSeed};
};

void expect_sane(const Reader& reader) {
  FakeKernel& kernel = FakeKernel::get();
  EXPECT_EQ(kernel.outcomes(), kernel.counters().ticks);
  EXPECT_EQ(kernel.counters().outcomes[WIRE_OUT_LOST_PROGRAM], 0U);
  EXPECT_EQ(reader.malformed(), 0U);
  EXPECT_EQ(reader.unknown_stacks(), 0U);
}

TEST(HostileTest, scribbled_memory_costs_its_own_samples_only) {
  for_each_interpreter("mix 3", [](PythonTarget& target) {
    FakeKernel& kernel = FakeKernel::get();
    Image& image = target.image();
    image.watch();
    Reader reader;
    ASSERT_TRUE(reader.read(kernel.tick(image.regs())));
    Vandal vandal(image);
    for (int round = 0; round < kRounds; ++round) {
      if (round % 3 == 0) image.mend();
      vandal.strike();
      reader.read(kernel.tick(image.regs()));
    }
    EXPECT_EQ(kernel.counters().ticks, kRounds + 1U);
    expect_sane(reader);
  });
}

TEST(HostileTest, wild_registers_cost_their_own_samples_only) {
  for_each_interpreter("mix 3", [](PythonTarget& target) {
    FakeKernel& kernel = FakeKernel::get();
    Image& image = target.image();
    image.watch();
    Reader reader;
    ASSERT_TRUE(reader.read(kernel.tick(image.regs())));
    Vandal vandal(image);
    for (int round = 0; round < kRounds; ++round) {
      host_regs regs = image.regs();
      if (round % 2 == 0) regs.sp = vandal.any_address();
      if (round % 3 == 0) regs.bp = vandal.any_address();
      if (round % 5 == 0) regs.pc = image.regs().pc + static_cast<uint64_t>(round);
      reader.read(kernel.tick(regs));
    }
    expect_sane(reader);
  });
}

// A frame that is its own caller, and an offset table whose every offset is the largest.
TEST(HostileTest, endless_chain_is_cut) {
  for_each_interpreter("deep 3", [](PythonTarget& target) {
    FakeKernel& kernel = FakeKernel::get();
    auto& config = *kernel.slot<wire_python_config>("pythons", 0);
    config.frame_previous = config.frame_code;  // a code object's first words as frames
    Reader reader;
    EXPECT_TRUE(reader.read(kernel.tick(target.image().regs())));
    config.frame_code = config.frame_previous = config.frame_ip = config.frame_owner = 0xfffe;
    config.code_flags = config.code_qualname = config.str_length = 0xfffe;
    EXPECT_TRUE(reader.read(kernel.tick(target.image().regs())));
    expect_sane(reader);
  });
}

}  // namespace
}  // namespace pyprof::bpftest
