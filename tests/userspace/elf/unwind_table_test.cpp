// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/unwind_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <utility>

#include "tests/userspace/elf/files.h"
#include "userspace/elf/cfi_rule.h"

namespace pyprof::elf {
namespace {

using Bytes = std::vector<uint8_t>;
using Rows = std::vector<std::pair<uint64_t, uint32_t>>;  // offset in the function, rule

// What the usual x86-64 CIE sets up: CFA = rsp + 8, return address at CFA - 8.
Cie usual_cie() {
  Cie cie{.code_align = 1, .data_align = -8, .readable = true, .usable = true};
  cie.initial.cfa_offset = 8;
  cie.initial.return_address = {.kind = CfiRegister::Kind::kOffset, .offset = -8};
  return cie;
}

Rows run(const Bytes& instructions, Unsupported& unsupported) {
  const Cie cie = usual_cie();
  CfiProgram program(cie, instructions, 0x5000, 0);
  Rows rows;
  for (auto step = CfiProgram::Step::kRow; step == CfiProgram::Step::kRow;) {
    step = program.step();
    rows.emplace_back(program.location(), step == CfiProgram::Step::kBad
                                              ? make_rule(WIRE_RULE_NONE)
                                              : rule_of(program.state(), false, unsupported));
  }
  return rows;
}

Rows run(const Bytes& instructions) {
  Unsupported unsupported;
  auto rows = run(instructions, unsupported);
  EXPECT_TRUE(unsupported.empty());
  return rows;
}

TEST(CfiProgramTest, follows_a_frame_pointer_prologue_and_epilogue) {
  // push rbp; mov rbp, rsp; ... remember; leave; restore
  const Bytes code = {0x41, 0x0e, 16,   0x86, 2, 0x43, 0x0d, 6,   0x02,
                      100,  0x0a, 0x0c, 7,    8, 0xc6, 0x41, 0x0b};
  EXPECT_EQ(run(code), (Rows{{0, make_rule(WIRE_RULE_RSP, 1)},
                             {1, make_rule(WIRE_RULE_RSP, 2, 2)},
                             {4, make_rule(WIRE_RULE_RBP, 2, 2)},
                             {104, make_rule(WIRE_RULE_RSP, 1)},
                             {105, make_rule(WIRE_RULE_RBP, 2, 2)}}));
}

TEST(CfiProgramTest, advances_by_all_widths) {
  const Bytes code = {0x41, 0x0e, 16, 0x02, 2, 0x0e, 24,   0x03, 0,    1, 0x0e,
                      32,   0x04, 0,  0,    1, 0,    0x0e, 40,   0x2e, 8};
  EXPECT_EQ(run(code), (Rows{{0, make_rule(WIRE_RULE_RSP, 1)},
                             {1, make_rule(WIRE_RULE_RSP, 2)},
                             {3, make_rule(WIRE_RULE_RSP, 3)},
                             {259, make_rule(WIRE_RULE_RSP, 4)},
                             {65'795, make_rule(WIRE_RULE_RSP, 5)}}));
}

TEST(CfiProgramTest, sets_the_location_but_never_back) {
  const Bytes forward = {0x01, 50, 0, 0, 0, 0, 0, 0, 0, 0x0e, 16};
  EXPECT_EQ(run(forward),
            (Rows{{0, make_rule(WIRE_RULE_RSP, 1)}, {50, make_rule(WIRE_RULE_RSP, 2)}}));
  const Bytes back = {0x44, 0x01, 2, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(run(back), (Rows{{0, make_rule(WIRE_RULE_RSP, 1)}, {4, make_rule(WIRE_RULE_NONE)}}));
}

TEST(CfiProgramTest, understands_realigned_stacks) {
  // CFA = r10 + 0, then rbp at [rbp] and CFA = *(rbp - 8)
  const Bytes code = {0x45, 0x0c, 10, 0, 0x4a, 0x10, 6, 2, 0x76, 0, 0x43, 0x0f, 3, 0x76, 0x78, 6};
  Unsupported unsupported;
  EXPECT_EQ(run(code, unsupported), (Rows{{0, make_rule(WIRE_RULE_RSP, 1)},
                                          {5, make_rule(WIRE_RULE_OTHER)},
                                          {15, make_rule(WIRE_RULE_OTHER)},
                                          {18, make_rule(WIRE_RULE_RBP_DEREF, -1, kRbpAtRbp)}}));
  EXPECT_EQ(unsupported, (Unsupported{{"cfa_register", 2}}));
}

TEST(CfiProgramTest, understands_plt_entries) {
  for (const uint8_t threshold : {10, 11}) {
    const Bytes code = {
        0x0f, 11,   0x77, 8,   0x80, 0, 0x3f, 0x1a, static_cast<uint8_t>(0x30 + threshold),
        0x2a, 0x33, 0x24, 0x22};
    EXPECT_EQ(run(code), (Rows{{0, make_rule(WIRE_RULE_PLT, threshold)}}));
  }
}

TEST(CfiProgramTest, knows_signal_frames_and_the_root) {
  Cie cie = usual_cie();
  Unsupported unsupported;
  const Bytes signal = {0x0f, 4, 0x77, 0xa0, 0x01, 6};
  CfiProgram at_signal(cie, signal, 0, 0);
  ASSERT_EQ(at_signal.step(), CfiProgram::Step::kEnd);
  EXPECT_EQ(rule_of(at_signal.state(), true, unsupported), make_rule(WIRE_RULE_SIGNAL));
  EXPECT_EQ(rule_of(at_signal.state(), false, unsupported), make_rule(WIRE_RULE_OTHER));
  EXPECT_EQ(run({0x07, 16}), (Rows{{0, make_rule(WIRE_RULE_STOP)}}));
}

TEST(CfiProgramTest, counts_what_it_cannot_express) {
  const std::vector<std::pair<Bytes, std::string>> cases = {
      {{0x0e, 0x80, 0x80, 0x80, 0x08}, "cfa_offset_large"},
      {{0x0e, 12}, "cfa_offset_unaligned"},
      {{0x0d, 3}, "cfa_register"},
      {{0x0f, 2, 0x30, 0x31}, "cfa_expression"},
      {{0x09, 6, 3}, "saved_rbp"},
      {{0x86, 63}, "saved_rbp"},
      {{0x90, 2}, "return_address"},
      {{0x87, 2}, "saved_rsp"}};
  for (const auto& [code, why] : cases) {
    Unsupported unsupported;
    EXPECT_EQ(run(code, unsupported), (Rows{{0, make_rule(WIRE_RULE_OTHER)}}));
    EXPECT_EQ(unsupported, (Unsupported{{why, 1}}));
  }
}

TEST(CfiProgramTest, gives_up_on_bad_instructions_from_there_on) {
  const std::vector<Bytes> cases = {{0x42, 0x0b},              // nothing remembered
                                    {0x42, 0x3d},              // no such opcode
                                    {0x42, 0x0f, 0x90, 0x4e},  // expression past the end
                                    {0x42, 0x0e, 0x80},        // number past the end
                                    {0x42, 0x0f, 0}};          // empty expression
  for (const Bytes& code : cases) {
    EXPECT_EQ(run(code), (Rows{{0, make_rule(WIRE_RULE_RSP, 1)}, {2, make_rule(WIRE_RULE_NONE)}}));
  }
  Bytes hoarder(1'000, 0x0a);
  EXPECT_EQ(run(hoarder), (Rows{{0, make_rule(WIRE_RULE_NONE)}}));
}

TEST(UnwindTableTest, is_sorted_and_ends_without_a_rule) {
  for (const auto& path : {testing::own_path(), testing::libc_path(), testing::libpython_path()}) {
    if (path.empty()) continue;
    const auto file = ElfFile::open_path(path);
    ASSERT_TRUE(file.ok());
    const auto start = std::chrono::steady_clock::now();
    const auto table = read_unwind_table(*file);
    const auto spent = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(table.ok());
    EXPECT_EQ(table->first_address % 512, 0u);
    EXPECT_EQ(table->rows.front().address, table->first_address);
    EXPECT_EQ(table->rows.back().rule, make_rule(WIRE_RULE_NONE));
    const auto bad = std::adjacent_find(
        table->rows.begin(), table->rows.end(),
        [](const auto& a, const auto& b) { return a.address >= b.address || a.rule == b.rule; });
    EXPECT_EQ(bad, table->rows.end());
    std::cout << path << ": " << table->rows.size() << " rows in "
              << std::chrono::duration<double, std::milli>(spent).count() << " ms\n";
    for (const auto& [kind, count] : table->unsupported) {
      std::cout << "  " << count << " x " << kind << "\n";
    }
  }
}

TEST(UnwindTableTest, finds_the_signal_trampoline_and_the_thread_root_of_libc) {
  const auto file = ElfFile::open_path(testing::libc_path());
  ASSERT_TRUE(file.ok());
  const auto table = read_unwind_table(*file);
  ASSERT_TRUE(table.ok());
  const auto count = [&](wire_rule_base base) {
    return std::count_if(table->rows.begin(), table->rows.end(),
                         [&](const UnwindRow& row) { return (row.rule & 0xf) == base; });
  };
  EXPECT_EQ(count(WIRE_RULE_SIGNAL), 1);
  EXPECT_GE(count(WIRE_RULE_STOP), 1) << "clone()";
  EXPECT_GE(count(WIRE_RULE_PLT), 1);
}

}  // namespace
}  // namespace pyprof::elf
