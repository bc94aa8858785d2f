// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/late_unwind.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/bpf/host/fake_kernel.h"
#include "tests/bpf/host/image.h"
#include "tests/bpf/host/reader.h"
#include "tests/bpf/host/stopped_child.h"
#include "userspace/elf/cfi_rule.h"
#include "userspace/elf/elf_file.h"
#include "userspace/elf/unwind_table.h"

// What the kernel sends of a process whose tables are not there, unwound here, against what the
// kernel's own walk says once they are.
namespace pyprof::bpftest {
namespace {

// Of an image's files, as their own parser says.
class Files {
 public:
  explicit Files(const Image& image) : image_(image) {}

  model::NativeAddress resolve(uint64_t pc) {
    for (const auto& mapping : image_.mappings()) {
      if (pc < mapping.start || pc >= mapping.end || !load(mapping.path)) continue;
      const auto& file = *files_.at(mapping.path);
      const uint64_t bias = mapping.start - file.elf.address_of_mapping(mapping.offset).value_or(0);
      return {file.id, pc - bias, pc};
    }
    return {0, pc, pc};
  }

  [[nodiscard]] std::optional<uint32_t> rule(const model::NativeAddress& where) const {
    for (const auto& [path, file] : files_) {
      if (file->id != where.file) continue;
      const auto& rows = file->table.rows;
      const auto above = std::upper_bound(
          rows.begin(), rows.end(), where.address,
          [](uint64_t address, const elf::UnwindRow& row) { return address < row.address; });
      return above == rows.begin() ? elf::make_rule(WIRE_RULE_NONE) : std::prev(above)->rule;
    }
    return std::nullopt;
  }

 private:
  struct File {
    model::FileId id;
    elf::ElfFile elf;
    elf::UnwindTable table;
  };
  bool load(const std::string& path) {
    if (files_.contains(path)) return true;
    if (path.empty() || path[0] != '/') return false;
    auto elf = elf::ElfFile::open_path(path);
    if (!elf) return false;
    auto table = elf::read_unwind_table(*elf);
    if (!table) return false;
    const auto id = static_cast<model::FileId>(files_.size() + 1);
    files_.emplace(path, std::make_unique<File>(File{id, *std::move(elf), *std::move(table)}));
    return true;
  }

  const Image& image_;
  std::map<std::string, std::unique_ptr<File>> files_;
};

model::RawStack raw_stack(const Sample& sample) {
  model::RawStack stack;
  for (const auto& frame : sample.native)
    stack.native.push_back(
        {{0, frame.pc, frame.pc}, frame.cfa & ~uint64_t{1}, (frame.cfa & 1) != 0});
  stack.native_end = sample.head.native_end;
  stack.piece = {sample.head.piece_sp, sample.head.piece_bp, sample.piece};
  return stack;
}

std::vector<uint64_t> pcs_of(const model::RawStack& stack) {
  std::vector<uint64_t> pcs;
  for (const auto& frame : stack.native)
    pcs.push_back(frame.where.pc);
  return pcs;
}

class LateUnwindTest : public ::testing::Test {
 protected:
  void start(const std::function<void()>& body) {
    child_ = std::make_unique<Child>(body);
    image_ = std::make_unique<Image>(child_->pid());
    ASSERT_EQ(image_->error(), "");
    install(*image_);
    files_ = std::make_unique<Files>(*image_);
  }
  void TearDown() override { FakeKernel::get().reset(); }

  static std::optional<Sample> read(const std::vector<RingRecord>& records) {
    return Reader().read(records);
  }
  [[nodiscard]] std::vector<RingRecord> tick() const {
    return FakeKernel::get().tick(image_->regs());
  }
  // Every mapping's file is still being read.
  void make_unread() const {
    for (uint32_t i = 0; i < image_->mappings().size(); ++i)
      FakeKernel::get().slot<wire_mapping>("mappings", i)->kind = WIRE_MAP_UNREAD;
  }
  [[nodiscard]] engine::LateTables tables() {
    return {[this](uint64_t pc) { return files_->resolve(pc); },
            [this](const model::NativeAddress& where) { return files_->rule(where); }};
  }
  void expect_same(const Sample& whole, const std::optional<Sample>& cut) {
    ASSERT_TRUE(cut);
    ASSERT_FALSE(cut->piece.empty());
    EXPECT_FALSE(cut->interned);
    auto stack = raw_stack(*cut);
    ASSERT_TRUE(engine::unwind_late(stack, tables(), false));
    EXPECT_EQ(stack.native_end, whole.head.native_end);
    EXPECT_EQ(pcs_of(stack), whole.pcs());
    ASSERT_EQ(stack.native.size(), whole.native.size());
    for (std::size_t i = 0; i < whole.native.size(); ++i) {
      EXPECT_EQ(stack.native[i].cfa, whole.native[i].cfa & ~uint64_t{1}) << i;
      EXPECT_EQ(stack.native[i].exact, (whole.native[i].cfa & 1) != 0) << i;
    }
    EXPECT_TRUE(stack.piece.bytes.empty());
  }
  // With no entry for the process, and with one whose files are unread.
  void expect_same_stacks() {
    const auto whole = read(tick());
    ASSERT_TRUE(whole);
    ASSERT_EQ(whole->head.native_end, 0);
    EXPECT_TRUE(whole->piece.empty());
    make_unread();
    FakeKernel::get().forget();
    const auto unread = read(tick());
    ASSERT_TRUE(unread);
    EXPECT_EQ(unread->head.native_end, WIRE_FAULT_NATIVE_UNREAD);
    expect_same(*whole, unread);
    FakeKernel::get().clear("procs");
    expect_same(*whole, read(tick()));
  }

  std::unique_ptr<Child> child_;
  std::unique_ptr<Image> image_;
  std::unique_ptr<Files> files_;
};

TEST_F(LateUnwindTest, recursion_is_as_in_the_kernel) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(20, 0); }));
  expect_same_stacks();
}

TEST_F(LateUnwindTest, callback_through_libc_is_as_in_the_kernel) {
  ASSERT_NO_FATAL_FAILURE(start(sort_and_stop));
  expect_same_stacks();
}

TEST_F(LateUnwindTest, signal_handler_is_as_in_the_kernel) {
  ASSERT_NO_FATAL_FAILURE(start(signal_and_stop));
  expect_same_stacks();
}

TEST_F(LateUnwindTest, stack_longer_than_the_piece_is_cut_there) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(60, 900); }));
  const auto whole = read(tick());
  ASSERT_TRUE(whole);
  FakeKernel::get().clear("procs");
  const auto cut = read(tick());
  ASSERT_TRUE(cut);
  EXPECT_LE(cut->piece.size(), std::size_t{WIRE_MAX_PIECE_BYTES});
  auto stack = raw_stack(*cut);
  ASSERT_TRUE(engine::unwind_late(stack, tables(), false));
  EXPECT_EQ(stack.native_end, WIRE_FAULT_NATIVE_FAULT);
  const auto pcs = pcs_of(stack), all = whole->pcs();
  ASSERT_GT(pcs.size(), 3U);
  ASSERT_LT(pcs.size(), all.size());
  EXPECT_TRUE(std::equal(pcs.begin(), pcs.end(), all.begin()));
}

TEST_F(LateUnwindTest, waits_for_what_is_to_come) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(5, 0); }));
  FakeKernel::get().clear("procs");
  const auto cut = read(tick());
  ASSERT_TRUE(cut);
  auto stack = raw_stack(*cut);
  auto unread = tables();
  unread.rule = [](const auto&) { return std::nullopt; };
  EXPECT_FALSE(engine::unwind_late(stack, unread, false));
  EXPECT_EQ(stack.native_end, WIRE_FAULT_PROC_UNKNOWN);
  EXPECT_FALSE(stack.piece.bytes.empty());
  EXPECT_TRUE(engine::unwind_late(stack, unread, true));
  EXPECT_EQ(stack.native_end, WIRE_FAULT_NATIVE_UNREAD);
  EXPECT_EQ(stack.native.size(), 1U);
}

TEST_F(LateUnwindTest, missing_pages_shorten_the_piece) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(40, 900); }));
  FakeKernel::get().clear("procs");
  const uint64_t first_page = image_->regs().sp / kPageBytes * kPageBytes;
  image_->fault({first_page + kPageBytes});
  const auto cut = read(tick());
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->piece.size(), first_page + kPageBytes - image_->regs().sp);
  image_->fault({first_page});
  const auto none = read(tick());
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->piece.empty());
  auto stack = raw_stack(*none);
  EXPECT_TRUE(engine::unwind_late(stack, tables(), false));
  EXPECT_EQ(stack.native_end, WIRE_FAULT_PROC_UNKNOWN);
}

TEST_F(LateUnwindTest, pieces_are_few) {
  ASSERT_NO_FATAL_FAILURE(start([] { recurse(5, 0); }));
  FakeKernel::get().clear("procs");
  const auto pieces_of = [this](uint64_t time_ns) {
    int pieces = 0;
    for (int i = 0; i < 300; ++i) {
      FakeKernel::get().set_time_ns(time_ns);
      const auto sample = read(tick());
      if (sample && !sample->piece.empty()) ++pieces;
    }
    return pieces;
  };
  const uint64_t now_ns = FakeKernel::get().time_ns();
  EXPECT_EQ(pieces_of(now_ns + 3'000'000'000), 100);
  EXPECT_EQ(pieces_of(now_ns + 6'000'000'000), 100);
}

}  // namespace
}  // namespace pyprof::bpftest
