// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/code_scan.h"

#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "tests/userspace/elf/files.h"
#include "userspace/elf/cfi_rule.h"
#include "userspace/elf/elf_file.h"
#include "userspace/elf/unwind_table.h"

// Functions without call frame information, as hand-written assembly and musl's libc have them.
asm(R"(
    .text
    .p2align 4
    .globl scan_plain
    .type scan_plain, @function
scan_plain:
    push %rbp
    push %rbx
    sub $0x20, %rsp
    call scan_framed
    .globl scan_plain_called
scan_plain_called:
    test %eax, %eax
    je 2f
    add $0x20, %rsp
    pop %rbx
    pop %rbp
    ret
2:  nop
    .globl scan_plain_branch
scan_plain_branch:
    add $0x20, %rsp
    pop %rbx
    pop %rbp
    ret
    .size scan_plain, . - scan_plain

    .p2align 4
    .globl scan_framed
    .type scan_framed, @function
scan_framed:
    push %rbp
    mov %rsp, %rbp
    and $-64, %rsp
    sub $0x80, %rsp
    .globl scan_framed_aligned
scan_framed_aligned:
    xor %eax, %eax
    leave
    .globl scan_framed_left
scan_framed_left:
    ret
    .size scan_framed, . - scan_framed

    .p2align 4
    .globl scan_loop
    .type scan_loop, @function
scan_loop:
    push %r12
    jmp 3f
    .p2align 4
    .globl scan_loop_body
scan_loop_body:
    add $1, %r12
    cmp $9, %r12
    je 4f
3:  cmp $5, %r12
    jne scan_loop_body
4:  pop %r12
    ret
    .size scan_loop, . - scan_loop

    .p2align 4
    .globl scan_root
    .type scan_root, @function
scan_root:
    xor %ebp, %ebp
    mov %rsp, %rdi
    and $-16, %rsp
    call scan_plain
    .globl scan_root_called
scan_root_called:
    hlt
    .size scan_root, . - scan_root
)");

namespace pyprof::elf {
namespace {

uint32_t rule_at(const std::vector<UnwindRow>& rows, uint64_t address) {
  const auto after =
      std::upper_bound(rows.begin(), rows.end(), address,
                       [](uint64_t at, const UnwindRow& row) { return at < row.address; });
  return after == rows.begin() ? make_rule(WIRE_RULE_NONE) : std::prev(after)->rule;
}

class CodeScanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto file = ElfFile::open_path(testing::own_path());
    ASSERT_TRUE(file.ok());
    const auto table = read_unwind_table(*file);
    ASSERT_TRUE(table.ok());
    rows_ = table->rows;
    file_.emplace(*std::move(file));
  }

  [[nodiscard]] uint32_t rule(const char* symbol) const {
    const auto found = file_->find_symbol(symbol);
    EXPECT_TRUE(found) << symbol;
    return found ? rule_at(rows_, found->address) : 0;
  }

  std::optional<ElfFile> file_;
  std::vector<UnwindRow> rows_;
};

TEST_F(CodeScanTest, follows_pushes_and_room_on_the_stack) {
  EXPECT_EQ(rule("scan_plain"), make_rule(WIRE_RULE_RSP, 1));
  EXPECT_EQ(rule("scan_plain_called"), make_rule(WIRE_RULE_RSP, 7, 2));
  EXPECT_EQ(rule("scan_plain_branch"), make_rule(WIRE_RULE_RSP, 7, 2)) << "after a return";
}

TEST_F(CodeScanTest, a_frame_pointer_outlives_an_aligned_stack) {
  EXPECT_EQ(rule("scan_framed_aligned"), make_rule(WIRE_RULE_RBP, 2, 2));
  EXPECT_EQ(rule("scan_framed_left"), make_rule(WIRE_RULE_RSP, 1));
}

TEST_F(CodeScanTest, a_loop_that_only_a_jump_back_leads_to) {
  EXPECT_EQ(rule("scan_loop_body"), make_rule(WIRE_RULE_RSP, 2));
}

TEST_F(CodeScanTest, who_clears_rbp_unsaved_is_the_root) {
  EXPECT_EQ(rule("scan_root_called"), make_rule(WIRE_RULE_STOP));
}

TEST_F(CodeScanTest, too_much_code_is_left_alone) {
  CodeScan scan(*file_);
  EXPECT_TRUE(scan.rows(0, CodeScan::kMaxBytes + 1).empty());
  EXPECT_TRUE(scan.rows(10, 10).empty());
}

// One frame can be found by rsp or by rbp, and a restored rbp still lies in its old slot.
bool equal(uint32_t ours, uint32_t truth) {
  if (ours == truth) return true;
  const uint32_t base = truth & 15;
  if ((ours & 15) != WIRE_RULE_RSP) return false;
  if (base == WIRE_RULE_RBP) return (ours >> 4 & 63) == (truth >> 4 & 63);
  const bool same_cfa = base == WIRE_RULE_RSP && ours >> 10 == truth >> 10;
  return same_cfa && (ours >> 4 & 63) == 0 && (truth >> 4 & 63) > truth >> 10;
}

// Where the file knows, the scan is compared with it, call by call: stacks are made of calls.
TEST_F(CodeScanTest, agrees_with_the_frame_information_of_the_c_library) {
  const auto file = ElfFile::open_path(testing::libc_path());
  ASSERT_TRUE(file.ok());
  const auto table = read_unwind_table(*file);
  ASSERT_TRUE(table.ok());
  const auto bytes = std::min(table->end_address - table->first_address, CodeScan::kMaxBytes);
  const auto scanned = CodeScan(*file).rows(table->first_address, table->first_address + bytes);
  const auto code = file->at_address(table->first_address, bytes);
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  ZydisDecodedInstruction instruction;
  uint64_t calls = 0, good = 0;
  for (std::size_t at = 0; at < code.size();) {
    const uint64_t address = table->first_address + at;
    const bool decoded = ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
        &decoder, nullptr, code.data() + at, code.size() - at, &instruction));
    at += decoded ? instruction.length : 1;
    if (!decoded || instruction.meta.category != ZYDIS_CATEGORY_CALL) continue;
    const uint32_t truth = rule_at(table->rows, address);
    if ((truth & 15) > WIRE_RULE_RBP) continue;
    calls++;
    good += equal(rule_at(scanned, address), truth) ? 1 : 0;
  }
  const double share =
      static_cast<double>(good) / static_cast<double>(std::max<uint64_t>(calls, 1));
  std::cout << "figure: code_scan = " << 100 * share << " % of " << calls << " calls of "
            << testing::libc_path() << "\n";
  EXPECT_GT(calls, 5'000U);
  EXPECT_GT(share, 0.9);
}

}  // namespace
}  // namespace pyprof::elf
