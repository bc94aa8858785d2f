// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/bpf/host/fake_kernel.h"
#include "tests/bpf/host/python_target.h"
#include "tests/bpf/host/reader.h"

// The whole sampler on real interpreters, against sys._getframe.
namespace pyprof::bpftest {
namespace {

constexpr uint32_t kMaxRingFailures = 200;

using Names = std::vector<std::string>;

const wire_python_config& config() {
  return *FakeKernel::get().slot<wire_python_config>("pythons", 0);
}

std::vector<RingRecord> tick(PythonTarget& target) {
  return FakeKernel::get().tick(target.image().regs());
}

// Each entry frame lies in the stack range of one native frame, further out each time.
void expect_entries_aligned(const Sample& sample) {
  uint64_t low = sample.head.sp;
  auto entry = sample.entries.begin();
  for (const auto& frame : sample.native) {
    const uint64_t cfa = frame.cfa & ~uint64_t{1};
    if (cfa == 0) continue;
    if (entry != sample.entries.end() && *entry >= low && *entry < cfa) ++entry;
    low = cfa;
  }
  EXPECT_EQ(entry, sample.entries.end()) << "an entry frame is outside of all native frames";
}

bool is_without_class(const std::string& name, const std::string& said) {
  return config().chain == WIRE_PY_CHAIN_OBJECTS && said.ends_with('.' + name);
}

// Every name is the right one for its depth; "?" is allowed, wrong is not. Before 3.11 a method's
// class is not part of its code object and may be missing.
void expect_no_wrong_name(const Names& names, const Names& said) {
  ASSERT_LE(names.size(), said.size());
  for (std::size_t i = 0; i < names.size(); ++i)
    EXPECT_TRUE(names[i] == said[i] || names[i] == kUnnamed || is_without_class(names[i], said[i]))
        << i << ": " << names[i];
}

void expect_every_tick_has_one_outcome() {
  FakeKernel& kernel = FakeKernel::get();
  EXPECT_EQ(kernel.outcomes(), kernel.counters().ticks);
}

// As above, with every name there.
bool named(const std::optional<Sample>& sample, const Names& said) {
  return sample && sample->head.python_end == 0 &&
         std::equal(sample->names.begin(), sample->names.end(), said.begin(), said.end(),
                    [](const auto& name, const auto& right) {
                      return name == right || is_without_class(name, right);
                    });
}

bool whole(const std::optional<Sample>& sample, const Names& said) {
  return sample && sample->names == said && sample->head.python_end == 0;
}

TEST(PythonUnwindTest, names_and_lines_are_those_of_getframe) {
  for_each_interpreter("mix 6", [](PythonTarget& target) {
    Reader reader;
    const auto sample = reader.read(tick(target));
    ASSERT_TRUE(sample);
    EXPECT_EQ(sample->names, target.said());
    EXPECT_EQ(sample->head.python_end, 0);
    EXPECT_EQ(sample->head.native_end, 0);
    EXPECT_TRUE(sample->interned);
    if (config().chain == WIRE_PY_CHAIN_OBJECTS) {
      EXPECT_TRUE(sample->entries.empty());  // every frame is an activation
      for (const auto& frame : sample->python)
        EXPECT_TRUE(frame.flags & WIRE_PY_ACTIVATION);
      return;
    }
    // through_c 6 times, map and reduce, and the module: each run ends in an entry frame.
    EXPECT_GE(sample->entries.size(), 9U);
    expect_entries_aligned(*sample);
    EXPECT_EQ(reader.malformed(), 0U);
  });
}

TEST(PythonUnwindTest, thousand_frames_reach_the_root) {
  for_each_interpreter("deep 1000", [](PythonTarget& target) {
    Reader reader;
    const auto sample = reader.read(tick(target));
    ASSERT_TRUE(sample);
    EXPECT_EQ(sample->names, target.said());
    EXPECT_EQ(sample->head.python_end, 0);
    EXPECT_TRUE(sample->interned);
    EXPECT_TRUE(reader.read(tick(target))->is_tick);
  });
}

TEST(PythonUnwindTest, deeper_chain_is_cut_and_says_so) {
  for_each_interpreter("deep 2000", [](PythonTarget& target) {
    Reader reader;
    const auto sample = reader.read(tick(target));
    ASSERT_TRUE(sample);
    EXPECT_EQ(sample->head.python_end, WIRE_FAULT_PY_DEPTH);
    EXPECT_GE(sample->names.size(), 1024U);
    ASSERT_LE(sample->names.size(), target.said().size());
    EXPECT_TRUE(std::equal(sample->names.begin(), sample->names.end(), target.said().begin()));
    EXPECT_EQ(FakeKernel::get().counters().faults[WIRE_FAULT_PY_DEPTH], 1U);
    EXPECT_TRUE(reader.read(tick(target))->is_tick);
  });
}

// Both chains long: they share 33 tail calls.
TEST(PythonUnwindTest, many_native_and_python_frames_are_sent_with_right_names) {
  for (const char* wanted : {"through_c 60", "through_c 150", "through_c 400"}) {
    SCOPED_TRACE(wanted);
    for_each_interpreter(wanted, [](PythonTarget& target) {
      Reader reader;
      const auto sample = reader.read(tick(target));
      EXPECT_EQ(FakeKernel::get().counters().outcomes[WIRE_OUT_LOST_PROGRAM], 0U);
      ASSERT_TRUE(sample);
      expect_no_wrong_name(sample->names, target.said());
      expect_every_tick_has_one_outcome();
      const bool cut = sample->head.python_end != 0 || sample->head.native_end != 0;
      EXPECT_TRUE(cut || sample->names == target.said());
      if (sample->head.native_end != 0) {
        EXPECT_EQ(sample->head.native_end, WIRE_FAULT_NATIVE_DEPTH);
        EXPECT_GE(sample->native.size(), 1024U);
      }
    });
  }
}

// However the limit falls, at a code frame or at an entry frame, what is sent is a record.
TEST(PythonUnwindTest, frame_limit_is_the_decoders) {
  for (const char* wanted : {"deep 1532", "deep 1533", "deep 1534", "deep 1535"}) {
    SCOPED_TRACE(wanted);
    for_each_interpreter(wanted, [](PythonTarget& target) {
      Reader reader;
      EXPECT_TRUE(reader.read(tick(target)));
      EXPECT_EQ(reader.malformed(), 0U);
    });
  }
}

TEST(PythonFaultTest, missing_page_gives_no_wrong_name) {
  for_each_interpreter("mix 2", [](PythonTarget& target) {
    FakeKernel& kernel = FakeKernel::get();
    Image& image = target.image();
    image.watch();
    ASSERT_TRUE(whole(Reader().read(tick(target)), target.said()));
    const auto pages = image.touched();
    for (const uint64_t page : pages) {
      SCOPED_TRACE(::testing::Message() << "page 0x" << std::hex << page);
      kernel.forget();
      Reader reader(image, config());
      image.fault({page});
      const auto sample = reader.read(tick(target));
      ASSERT_TRUE(sample);
      expect_no_wrong_name(sample->names, target.said());
      expect_every_tick_has_one_outcome();
      EXPECT_EQ(reader.malformed(), 0U);
      // The page comes back: so does everything it held.
      image.fault({});
      EXPECT_TRUE(named(reader.read(tick(target)), target.said()));
      EXPECT_TRUE(named(reader.read(tick(target)), target.said()));
    }
    RecordProperty("pages", static_cast<int>(pages.size()));
  });
}

// Two functions alike in all that is resident: which one is it?
TEST(PythonFaultTest, missing_names_do_not_make_two_code_objects_one) {
  for_each_interpreter("twins 1", [](PythonTarget& target) {
    FakeKernel& kernel = FakeKernel::get();
    Image& image = target.image();
    Reader first;
    ASSERT_TRUE(whole(first.read(tick(target)), target.said()));
    std::set<uint64_t> pages;
    for (const auto& [id, code] : first.codes()) {
      if (code.qualname != "alpha" && code.qualname != "beta") continue;
      for (const uint16_t member : {config().code_qualname, config().code_linetable}) {
        uint64_t object = 0;
        ASSERT_TRUE(image.read_value(code.address + member, object));
        pages.insert(object & ~(kPageBytes - 1));
      }
    }
    ASSERT_FALSE(pages.empty());
    kernel.forget();
    image.fault(pages);
    Reader reader(image, config());
    const auto missing = reader.read(tick(target));
    image.fault({});
    ASSERT_TRUE(missing);
    expect_no_wrong_name(missing->names, target.said());
    const auto back = reader.read(tick(target));
    ASSERT_TRUE(back);
    expect_no_wrong_name(back->names, target.said());
  });
}

TEST(PythonFaultTest, full_ring_loses_a_record_and_no_name_for_good) {
  for_each_interpreter("mix 2", [](PythonTarget& target) {
    FakeKernel& kernel = FakeKernel::get();
    bool failed = true;
    for (uint32_t n = 0; failed && n < kMaxRingFailures; ++n) {
      SCOPED_TRACE(n);
      kernel.forget();
      Reader reader;
      kernel.fail_ring_at(n);
      const auto first = reader.read(tick(target));
      if (first) expect_no_wrong_name(first->names, target.said());
      failed = !whole(first, target.said());
      const auto& faults = kernel.counters().faults;
      EXPECT_EQ(kernel.counters().outcomes[WIRE_OUT_LOST_STACK] + faults[WIRE_FAULT_LOST_CODE],
                failed ? 1U : 0U);
      kernel.fail_ring_at(std::nullopt);
      EXPECT_TRUE(whole(reader.read(tick(target)), target.said()));
      const auto third = reader.read(tick(target));
      EXPECT_TRUE(whole(third, target.said()));
      EXPECT_TRUE(third && third->is_tick);
      EXPECT_EQ(reader.unknown_stacks(), 0U);
      expect_every_tick_has_one_outcome();
    }
    EXPECT_FALSE(failed);
  });
}

TEST(PythonFaultTest, ring_that_stays_full_is_counted_for_each_tick) {
  for_each_interpreter("deep 5", [](PythonTarget& target) {
    FakeKernel& kernel = FakeKernel::get();
    kernel.fail_ring_always(true);
    for (int i = 0; i < 10; ++i)
      EXPECT_TRUE(tick(target).empty());
    EXPECT_EQ(kernel.counters().outcomes[WIRE_OUT_LOST_STACK], 10U);
    expect_every_tick_has_one_outcome();
    kernel.fail_ring_always(false);
    Reader reader;
    EXPECT_TRUE(whole(reader.read(tick(target)), target.said()));
  });
}

}  // namespace
}  // namespace pyprof::bpftest
