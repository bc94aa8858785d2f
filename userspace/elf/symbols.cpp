// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/symbols.h"

#include <elf.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "userspace/elf/debug_files.h"

namespace pyprof::elf {
namespace {

constexpr uint32_t kGuessed = 1u << 31;
constexpr uint64_t kMaxSize = kGuessed - 1;
// How far find() looks back for a symbol that encloses the ones in between.
constexpr int kMaxNesting = 32;
constexpr std::size_t kMaxNames = std::size_t{1} << 30;

int binding_rank(const Symbol& symbol) {
  if (symbol.binding == STB_GLOBAL) return 0;
  return symbol.binding == STB_WEAK ? 1 : 2;
}

// Aliases next to each other, the one to keep first.
bool preferred(const Symbol& a, const Symbol& b) {
  return std::tuple(a.address, a.bytes == 0, binding_rank(a), a.name.size(), a.name) <
         std::tuple(b.address, b.bytes == 0, binding_rank(b), b.name.size(), b.name);
}

struct Range {
  uint64_t start;
  uint64_t end;
};

// What a symbol of unknown size must not reach beyond: sections, or segments where there are none.
std::vector<Range> limits_of(const ElfFile& file) {
  std::vector<Range> ranges;
  for (const Section& section : file.sections()) {
    if ((section.flags & SHF_EXECINSTR) == 0) continue;
    ranges.push_back({section.address, section.address + section.bytes});
  }
  if (ranges.empty()) {
    for (const Segment& segment : file.segments()) {
      if (segment.executable) {
        ranges.push_back({segment.address, segment.address + segment.memory_bytes});
      }
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.start < b.start; });
  return ranges;
}

uint64_t end_of_range(const std::vector<Range>& ranges, uint64_t address) {
  const auto above = std::upper_bound(ranges.begin(), ranges.end(), address,
                                      [](uint64_t a, const Range& r) { return a < r.start; });
  if (above == ranges.begin()) return address;
  return std::max(address, std::prev(above)->end);
}

}  // namespace

SymbolTable SymbolTable::from_file(const ElfFile& file, std::size_t limit) {
  if (const auto packed = mini_debug_info(file)) return from_files(file, *packed, limit);
  return make(file, file.symbols(limit));
}

SymbolTable SymbolTable::from_files(const ElfFile& file, const ElfFile& debug, std::size_t limit) {
  std::vector<Symbol> symbols = file.symbols(limit);
  const std::vector<Symbol> others = debug.static_symbols(limit - symbols.size());
  symbols.insert(symbols.end(), others.begin(), others.end());
  return make(file, std::move(symbols));
}

SymbolTable SymbolTable::make(const ElfFile& file, std::vector<Symbol> symbols) {
  std::erase_if(symbols, [](const Symbol& s) { return s.type == STT_OBJECT; });
  std::sort(symbols.begin(), symbols.end(), preferred);
  const std::vector<Range> ranges = limits_of(file);
  SymbolTable table;
  for (std::size_t i = 0; i < symbols.size();) {
    const Symbol& symbol = symbols[i];
    uint64_t bytes = symbol.bytes;
    for (; i < symbols.size() && symbols[i].address == symbol.address; i++) {
      bytes = std::max(bytes, symbols[i].bytes);
    }
    uint32_t guessed = 0;
    if (bytes == 0) {
      guessed = kGuessed;
      bytes = end_of_range(ranges, symbol.address) - symbol.address;
      if (i < symbols.size()) bytes = std::min(bytes, symbols[i].address - symbol.address);
    }
    if (table.names_.size() + symbol.name.size() > kMaxNames) break;
    table.entries_.push_back({symbol.address,
                              static_cast<uint32_t>(std::min(bytes, kMaxSize)) | guessed,
                              static_cast<uint32_t>(table.names_.size())});
    table.names_.append(symbol.name).push_back('\0');
  }
  table.entries_.shrink_to_fit();
  table.names_.shrink_to_fit();
  return table;
}

std::optional<SymbolTable> SymbolTable::from_parts(std::vector<Entry> entries, std::string names) {
  const auto by_address = [](const Entry& a, const Entry& b) { return a.address < b.address; };
  const bool named = std::all_of(entries.begin(), entries.end(),
                                 [&](const Entry& entry) { return entry.name < names.size(); });
  if (!named || !std::is_sorted(entries.begin(), entries.end(), by_address)) return std::nullopt;
  if (!names.empty() && names.back() != '\0') return std::nullopt;
  SymbolTable table;
  table.entries_ = std::move(entries);
  table.names_ = std::move(names);
  return table;
}

std::optional<SymbolTable::Hit> SymbolTable::find(uint64_t address) const {
  auto at = std::upper_bound(entries_.begin(), entries_.end(), address,
                             [](uint64_t a, const Entry& e) { return a < e.address; });
  const Entry* guess = nullptr;
  for (int looked = 0; at != entries_.begin() && looked < kMaxNesting; looked++) {
    --at;
    if (address - at->address >= (at->size & ~kGuessed)) continue;
    if ((at->size & kGuessed) == 0) return hit(*at);
    if (guess == nullptr) guess = &*at;
  }
  return guess == nullptr ? std::nullopt : std::optional(hit(*guess));
}

SymbolTable::Hit SymbolTable::hit(const Entry& entry) const {
  return Hit{.name = names_.c_str() + entry.name,
             .start = entry.address,
             .bytes = (entry.size & kGuessed) != 0 ? 0 : entry.size};
}

std::size_t SymbolTable::bytes() const {
  return entries_.capacity() * sizeof(Entry) + names_.capacity();
}

}  // namespace pyprof::elf
