// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include "userspace/elf/cfi_rule.h"
#include "userspace/elf/unwind_table.h"

namespace pyprof::elf {
namespace {

constexpr uint64_t kPageBytes = uint64_t{1} << WIRE_PAGE_BITS;
constexpr std::size_t kMaxRowsPerPage = 255;           // 8 bits of an index entry
constexpr std::size_t kMaxRowNumber = (1u << 24) - 1;  // the other 24
constexpr uint32_t kNone = make_rule(WIRE_RULE_NONE);

// The 16-bit rule's layout.
constexpr uint32_t kDictionaryTag = 2;
constexpr uint32_t kTagBits = 2;
constexpr uint32_t kMaxInlineOffset = 1'023;
constexpr uint32_t kMaxInlineRbp = 15;

std::optional<uint32_t> inline_rule(uint32_t rule) {
  const uint32_t base = rule & 0xf;
  const uint32_t offset = rule >> 10;
  const uint32_t saved_rbp = rule >> 4 & 0x3f;
  if (base != WIRE_RULE_RSP && base != WIRE_RULE_RBP) return std::nullopt;
  if (offset > kMaxInlineOffset || saved_rbp > kMaxInlineRbp) return std::nullopt;
  return base | offset << kTagBits | saved_rbp << 12;
}

class Packer {
 public:
  Packer(const UnwindTable& table, RuleDictionary& dictionary)
      : table_(table), dictionary_(dictionary) {}

  PackedTable run() {
    const uint64_t pages =
        (table_.end_address - table_.first_address + kPageBytes - 1) / kPageBytes;
    out_.index.reserve(pages);
    out_.rows.reserve(table_.rows.size() + pages);
    for (uint64_t page = 0; page < pages; page++) {
      collect(table_.first_address + page * kPageBytes);
      if (!place()) break;
    }
    return std::move(out_);
  }

 private:
  // The rows of one page: the rule carried in, then those that start in it.
  void collect(uint64_t start) {
    page_.clear();
    page_.push_back(pack_row(start, carried_));
    for (; at_ < table_.rows.size() && table_.rows[at_].address < start + kPageBytes; at_++) {
      const UnwindRow& row = table_.rows[at_];
      carried_ = row.rule;
      if (row.address <= start) page_.clear();
      if (page_.size() == kMaxRowsPerPage) continue;
      const bool last = page_.size() + 1 == kMaxRowsPerPage;
      page_.push_back(pack_row(std::max(row.address, start), last ? kNone : row.rule));
    }
  }

  bool place() {
    const std::size_t in_chunk = out_.rows.size() % WIRE_ROW_CHUNK;
    if (in_chunk + page_.size() > WIRE_ROW_CHUNK) {
      out_.rows.resize(out_.rows.size() + WIRE_ROW_CHUNK - in_chunk);
    }
    if (out_.rows.size() > kMaxRowNumber) return false;
    out_.index.push_back(static_cast<uint32_t>(out_.rows.size() << 8 | page_.size()));
    out_.rows.insert(out_.rows.end(), page_.begin(), page_.end());
    return true;
  }

  uint32_t pack_row(uint64_t address, uint32_t rule) {
    const auto low = static_cast<uint32_t>(address - table_.first_address) << 16;
    if (const auto packed = inline_rule(rule)) return low | *packed;
    return low | kDictionaryTag | dictionary_.index_of(rule) << kTagBits;
  }

  const UnwindTable& table_;
  RuleDictionary& dictionary_;
  PackedTable out_;
  std::vector<uint32_t> page_;
  std::size_t at_ = 0;
  uint32_t carried_ = kNone;
};

uint32_t unpack_rule(uint32_t packed, const std::vector<uint32_t>& dictionary) {
  const uint32_t tag = packed & 3;
  if (tag == kDictionaryTag) {
    const uint32_t index = packed >> kTagBits & 0x3fff;
    return index < dictionary.size() ? dictionary[index] : kNone;
  }
  return make_rule(static_cast<wire_rule_base>(tag),
                   static_cast<int32_t>(packed >> kTagBits & kMaxInlineOffset), packed >> 12 & 0xf);
}

}  // namespace

RuleDictionary::RuleDictionary() {
  index_of(make_rule(WIRE_RULE_OTHER));
}

uint32_t RuleDictionary::index_of(uint32_t rule) {
  if (const auto known = index_.find(rule); known != index_.end()) return known->second;
  if (rules_.size() == WIRE_DICT_RULES) return 0;
  const auto index = static_cast<uint32_t>(rules_.size());
  rules_.push_back(rule);
  index_.emplace(rule, index);
  return index;
}

PackedTable pack(const UnwindTable& table, RuleDictionary& dictionary) {
  if (table.rows.empty()) return {};
  return Packer(table, dictionary).run();
}

uint32_t find_rule(const PackedTable& packed, const std::vector<uint32_t>& dictionary,
                   uint64_t offset_from_first) {
  const uint64_t page = offset_from_first >> WIRE_PAGE_BITS;
  if (page >= packed.index.size()) return kNone;
  const uint32_t entry = packed.index[page];
  const auto first = packed.rows.begin() + (entry >> 8);
  const auto key = static_cast<uint32_t>(offset_from_first & 0xffff);
  const auto above = std::upper_bound(first, first + (entry & 0xff), key,
                                      [](uint32_t k, uint32_t row) { return k < row >> 16; });
  return above == first ? kNone : unpack_rule(*(above - 1) & 0xffff, dictionary);
}

}  // namespace pyprof::elf
