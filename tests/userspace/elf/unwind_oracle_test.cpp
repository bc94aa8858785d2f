// SPDX-License-Identifier: Apache-2.0
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gelf.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <random>

#include "tests/userspace/elf/files.h"
#include "userspace/base/fd.h"
#include "userspace/elf/unwind_table.h"

// Our rules against elfutils' reading of the same .eh_frame.
namespace pyprof::elf {
namespace {

constexpr uint64_t kMinGapBytes = 16;

std::string signed_text(int64_t value) {
  return (value < 0 ? "" : "+") + std::to_string(value);
}

// A rule in words that both sides can be put in.
struct Words {
  std::string cfa;
  std::string rbp;
  bool operator==(const Words&) const = default;
};

Words words_of(uint32_t rule) {
  const int32_t offset = (static_cast<int32_t>(rule) >> 10) * 8;
  const uint32_t below = rule >> 4 & 0x3f;
  const std::string rbp = below == 0    ? "same"
                          : below == 63 ? "[r6+0]"
                                        : "cfa-" + std::to_string(below * 8);
  switch (rule & 0xf) {
    case WIRE_RULE_RSP:
      return {"r7" + signed_text(offset), rbp};
    case WIRE_RULE_RBP:
      return {"r6" + signed_text(offset), rbp};
    case WIRE_RULE_RBP_DEREF:
      return {"[r6" + signed_text(offset) + "]", rbp};
    case WIRE_RULE_PLT:
      return {"plt" + std::to_string(offset / 8), rbp};
    case WIRE_RULE_SIGNAL:
      return {"[r7+160]", "signal"};
    case WIRE_RULE_STOP:
      return {"stop", ""};
    case WIRE_RULE_NONE:
      return {"none", ""};
    default:
      return {"other", ""};
  }
}

class Oracle {
 public:
  explicit Oracle(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    elf_version(EV_CURRENT);
    elf_ = elf_begin(fd_.get(), ELF_C_READ_MMAP, nullptr);
    cfi_ = elf_ == nullptr ? nullptr : dwarf_getcfi_elf(elf_);
  }
  ~Oracle() {
    if (cfi_ != nullptr) dwarf_cfi_end(cfi_);
    elf_end(elf_);
  }
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;

  [[nodiscard]] bool valid() const { return cfi_ != nullptr; }

  [[nodiscard]] bool covers(uint64_t address) const { return frame_at(address) != nullptr; }

  [[nodiscard]] Words at(uint64_t address) const {
    const auto frame = frame_at(address);
    if (frame == nullptr) return {"none", ""};
    const std::string return_address = register_words(frame.get(), 16);
    if (return_address == "undefined") return {"stop", ""};
    const std::string cfa = cfa_words(frame.get());
    bool signal = false;
    dwarf_frame_info(frame.get(), nullptr, nullptr, &signal);
    if (signal && cfa == "[r7+160]") return {cfa, "signal"};
    if (return_address != "cfa-8") return {"return address " + return_address, ""};
    const std::string rbp = register_words(frame.get(), 6);
    return {cfa, rbp == "undefined" ? "same" : rbp};
  }

 private:
  using Frame = std::unique_ptr<Dwarf_Frame, decltype(&std::free)>;

  [[nodiscard]] Frame frame_at(uint64_t address) const {
    Dwarf_Frame* frame = nullptr;
    if (dwarf_cfi_addrframe(cfi_, address, &frame) != 0) frame = nullptr;
    return {frame, &std::free};
  }

  static std::string register_plus(const Dwarf_Op& op) {
    if (op.atom == DW_OP_bregx) {
      return "r" + std::to_string(op.number) + signed_text(static_cast<int64_t>(op.number2));
    }
    if (op.atom < DW_OP_breg0 || op.atom > DW_OP_breg31) return "";
    return "r" + std::to_string(op.atom - DW_OP_breg0) +
           signed_text(static_cast<int64_t>(op.number));
  }

  static std::string cfa_words(Dwarf_Frame* frame) {
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    if (dwarf_frame_cfa(frame, &ops, &count) != 0 || count == 0) return "unknown";
    const std::string base = register_plus(ops[0]);
    if (!base.empty() && count == 1) return base;
    if (!base.empty() && count == 2 && ops[1].atom == DW_OP_deref) return "[" + base + "]";
    if (base == "r7+8" && count == 9 && ops[1].atom == DW_OP_breg16 && ops[5].atom == DW_OP_ge &&
        ops[7].atom == DW_OP_shl && ops[8].atom == DW_OP_plus) {
      return "plt" + std::to_string(ops[4].atom - DW_OP_lit0);
    }
    return "expression";
  }

  static std::string register_words(Dwarf_Frame* frame, int number) {
    Dwarf_Op memory[3];
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    if (dwarf_frame_register(frame, number, memory, &ops, &count) != 0) return "unknown";
    if (count == 0) return ops == nullptr ? "same" : "undefined";
    if (ops[0].atom != DW_OP_call_frame_cfa) return "expression";
    if (count == 1) return "cfa+0";
    if (count == 2 && ops[1].atom == DW_OP_plus_uconst) {
      return "cfa" + signed_text(static_cast<int64_t>(ops[1].number));
    }
    if (count == 2 && !register_plus(ops[1]).empty()) return "[" + register_plus(ops[1]) + "]";
    return "expression";
  }

  Fd fd_;
  Elf* elf_ = nullptr;
  Dwarf_CFI* cfi_ = nullptr;
};

uint32_t rule_at(const UnwindTable& table, uint64_t address) {
  const auto above = std::upper_bound(table.rows.begin(), table.rows.end(), address,
                                      [](uint64_t a, const UnwindRow& r) { return a < r.address; });
  return above == table.rows.begin() ? uint32_t{WIRE_RULE_NONE} : std::prev(above)->rule;
}

struct Tally {
  uint64_t checked = 0;
  uint64_t padding = 0;
  uint64_t scanned = 0;
  uint64_t other = 0;
  std::map<std::string, uint64_t> mismatches;
  std::map<std::string, uint64_t> unsupported;
};

bool is_padding(const Oracle& oracle, uint64_t address) {
  bool before = false;
  bool after = false;
  for (uint64_t i = 1; i < kMinGapBytes; i++) {
    before |= oracle.covers(address - i);
    after |= oracle.covers(address + i);
  }
  return before && after;
}

// Whether the 32-bit rule has no room for it.
bool beyond_format(const Words& truth) {
  const bool simple_cfa = truth.cfa.starts_with("r7") || truth.cfa.starts_with("r6") ||
                          truth.cfa.starts_with("[r6") || truth.cfa.starts_with("plt");
  if (!simple_cfa) return true;
  const int64_t offset = truth.cfa[0] == 'r' ? std::stoll(truth.cfa.substr(2)) : 0;
  if (offset % 8 != 0 || offset / 8 >= 1 << 21 || offset / 8 < -(1 << 21)) return true;
  if (truth.rbp == "same" || truth.rbp == "[r6+0]") return false;
  if (!truth.rbp.starts_with("cfa-")) return true;
  const int64_t below = std::stoll(truth.rbp.substr(4));
  return below % 8 != 0 || below / 8 > 62;
}

void check(const Oracle& oracle, const UnwindTable& table, uint64_t address, Tally& tally) {
  const Words ours = words_of(rule_at(table, address));
  const Words truth = oracle.at(address);
  tally.checked++;
  if (ours == truth) return;
  if (truth.cfa == "none" && is_padding(oracle, address)) {
    tally.padding++;
  } else if (truth.cfa == "none") {
    tally.scanned++;  // see code_scan_test.cpp
  } else if (ours.cfa == "other" && beyond_format(truth)) {
    tally.other++;
    tally.unsupported[truth.cfa + " / " + truth.rbp]++;
  } else {
    const std::string kind =
        "ours " + ours.cfa + " " + ours.rbp + ", elfutils " + truth.cfa + " " + truth.rbp;
    if (tally.mismatches[kind]++ == 0)
      std::cout << "  at " << std::hex << address << std::dec << "\n";
  }
}

// Random addresses of the text, and both sides of random row boundaries.
void compare(const std::string& path, int samples, Tally& tally) {
  const auto file = ElfFile::open_path(path);
  if (!file) return;
  const auto table = read_unwind_table(*file);
  ASSERT_TRUE(table.ok()) << path << ": " << table.error().message;
  const Oracle oracle(path);
  if (!oracle.valid() || table->rows.empty()) return;
  EXPECT_FALSE(table->cut) << path;
  std::mt19937_64 random(table->rows.size());
  const uint64_t text_bytes = table->end_address - table->first_address;
  for (int i = 0; i < samples; i++) {
    check(oracle, *table, table->first_address + random() % text_bytes, tally);
    const uint64_t boundary = table->rows[random() % table->rows.size()].address;
    check(oracle, *table, boundary, tally);
    check(oracle, *table, boundary - 1, tally);
  }
}

void report(const std::string& what, const Tally& tally) {
  std::cout << what << ": " << tally.checked << " addresses, " << tally.padding
            << " in padding without a row, " << tally.scanned << " without call frame information, "
            << tally.other << " not expressible ("
            << 100.0 * static_cast<double>(tally.other) /
                   static_cast<double>(std::max<uint64_t>(tally.checked, 1))
            << " %)\n";
  int printed = 0;
  for (const auto& [kind, count] : tally.unsupported) {
    if (printed++ < 10) std::cout << "  " << count << " x " << kind << "\n";
  }
  for (const auto& [kind, count] : tally.mismatches)
    ADD_FAILURE() << count << " x " << kind;
}

TEST(UnwindOracleTest, agrees_with_elfutils_on_own_program_and_libraries) {
  for (const auto& path : {testing::own_path(), testing::libc_path(), testing::libpython_path()}) {
    if (path.empty()) {
      std::cout << "skipped: python3 has no libpython here\n";
      continue;
    }
    Tally tally;
    compare(path, 5'000, tally);
    EXPECT_GT(tally.checked, 10'000u) << path;
    report(path, tally);
  }
}

void compare_all(const std::vector<std::string>& paths, const std::string& what) {
  constexpr auto kBudget = std::chrono::seconds(20);
  const auto start = std::chrono::steady_clock::now();
  Tally tally;
  std::size_t files = 0;
  for (const auto& path : paths) {
    if (std::chrono::steady_clock::now() - start > kBudget) break;
    const auto before = tally.mismatches.size();
    compare(path, 100, tally);
    if (tally.mismatches.size() != before) std::cout << "  new mismatch in " << path << "\n";
    files++;
  }
  report(std::to_string(files) + " of " + std::to_string(paths.size()) + " " + what, tally);
}

TEST(UnwindOracleTest, agrees_with_elfutils_on_the_programs_of_path) {
  const auto programs = testing::programs(5'000'000);
  if (programs.empty()) GTEST_SKIP() << "no ELF programs in PATH";
  compare_all(programs, "programs");
}

TEST(UnwindOracleTest, agrees_with_elfutils_on_libraries) {
  const auto libraries = testing::libraries();
  if (libraries.empty()) GTEST_SKIP() << "no libraries in /usr/lib";
  compare_all(libraries, "libraries");
}

}  // namespace
}  // namespace pyprof::elf
