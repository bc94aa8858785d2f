// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/dwarf_lines.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <utility>

namespace pyprof::elf {
namespace {

constexpr std::size_t kMaxRanges = 4'000'000;     // of all units, or of the functions of one
constexpr std::size_t kMaxFunctions = 4'000'000;  // remembered of all units
constexpr std::size_t kMaxNesting = 128;

struct EndDwarf {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

struct Range {
  uint64_t start;
  uint64_t end;
  Dwarf_Off die;
};

void add_ranges(Dwarf_Die* die, std::vector<Range>& ranges) {
  Dwarf_Addr base = 0;
  Dwarf_Addr start = 0;
  Dwarf_Addr end = 0;
  std::ptrdiff_t at = 0;
  while (ranges.size() < kMaxRanges && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
    // Code that the linker dropped begins at 0.
    if (start != 0 && start < end) ranges.push_back({start, end, dwarf_dieoffset(die)});
  }
}

void sort(std::vector<Range>& ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.start < b.start; });
}

const Range* find_in(const std::vector<Range>& ranges, uint64_t address) {
  const auto above = std::upper_bound(ranges.begin(), ranges.end(), address,
                                      [](uint64_t a, const Range& r) { return a < r.start; });
  if (above == ranges.begin() || address >= std::prev(above)->end) return nullptr;
  return &*std::prev(above);
}

std::string text(const char* from, std::size_t max_bytes) {
  return from == nullptr ? std::string() : std::string(from).substr(0, max_bytes);
}

std::string function_name(Dwarf_Die* die) {
  Dwarf_Attribute attribute;
  for (const unsigned kind : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name}) {
    if (dwarf_attr_integrate(die, kind, &attribute) == nullptr) continue;
    if (const char* name = dwarf_formstring(&attribute)) {
      return text(name, DwarfFile::kMaxNameBytes);
    }
  }
  return {};
}

uint32_t number(Dwarf_Die* die, unsigned kind) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_attr(die, kind, &attribute) == nullptr || dwarf_formudata(&attribute, &value) != 0) {
    return 0;
  }
  return static_cast<uint32_t>(std::min<Dwarf_Word>(value, UINT32_MAX));
}

// "comp_dir/file" where the line table has a relative path.
std::string path_in(Dwarf_Die* unit, const char* file) {
  if (file == nullptr) return {};
  Dwarf_Attribute attribute;
  if (file[0] != '/' && dwarf_attr(unit, DW_AT_comp_dir, &attribute) != nullptr) {
    if (const char* directory = dwarf_formstring(&attribute); directory && directory[0] == '/') {
      return text(directory, DwarfFile::kMaxPathBytes) + "/" + text(file, DwarfFile::kMaxPathBytes);
    }
  }
  return text(file, DwarfFile::kMaxPathBytes);
}

struct Place {
  std::string file;
  uint32_t line = 0;
};

Place place_of(Dwarf_Die* unit, uint64_t address) {
  Dwarf_Line* line = dwarf_getsrc_die(unit, address);
  int number = 0;
  if (line == nullptr || dwarf_lineno(line, &number) != 0 || number < 0) return {};
  return {path_in(unit, dwarf_linesrc(line, nullptr, nullptr)), static_cast<uint32_t>(number)};
}

// Where an inlined function was called.
Place call_place(Dwarf_Die* unit, Dwarf_Die* inlined) {
  const uint32_t line = number(inlined, DW_AT_call_line);
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  const uint32_t index = number(inlined, DW_AT_call_file);
  if (dwarf_getsrcfiles(unit, &files, &count) != 0 || index >= count) return {"", line};
  return {path_in(unit, dwarf_filesrc(files, index, nullptr, nullptr)), line};
}

SourceFrame frame_of(Dwarf_Die* function, const Place& place) {
  int declared = 0;
  if (dwarf_decl_line(function, &declared) != 0 || declared < 0) declared = 0;
  return {function_name(function), place.file, place.line, static_cast<uint32_t>(declared)};
}

bool may_hold_functions(int tag) {
  return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
         tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

bool is_block(int tag) {
  return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
         tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

// The blocks around the address inside a function, outermost first. dwarf_getscopes() of elfutils
// 0.188 finds next to nothing in what clang writes.
std::vector<Dwarf_Die> blocks_around(Dwarf_Die function, uint64_t address) {
  std::vector<Dwarf_Die> blocks;
  Dwarf_Die child;
  int more = dwarf_child(&function, &child);
  while (more == 0 && blocks.size() < kMaxNesting) {
    if (is_block(dwarf_tag(&child)) && dwarf_haspc(&child, address) == 1) {
      blocks.push_back(child);
      more = dwarf_child(&blocks.back(), &child);
    } else {
      Dwarf_Die next;
      more = dwarf_siblingof(&child, &next);
      child = next;
    }
  }
  return blocks;
}

}  // namespace

struct DwarfFile::State {
  Fd file;
  std::unique_ptr<Dwarf, EndDwarf> dwarf;
  std::vector<Range> units;                                     // by start
  std::unordered_map<Dwarf_Off, std::vector<Range>> functions;  // of units, by start
  std::size_t function_count = 0;

  void index();
  const std::vector<Range>& functions_of(Dwarf_Die unit);
};

void DwarfFile::State::index() {
  Dwarf_CU* unit = nullptr;
  Dwarf_Half version = 0;
  uint8_t type = 0;
  Dwarf_Die die;
  while (dwarf_get_units(dwarf.get(), unit, &unit, &version, &type, &die, nullptr) == 0) {
    if (type == DW_UT_compile) add_ranges(&die, units);
  }
  sort(units);
}

const std::vector<Range>& DwarfFile::State::functions_of(Dwarf_Die unit) {
  const auto [found, is_new] = functions.try_emplace(dwarf_dieoffset(&unit));
  if (!is_new) return found->second;
  if (function_count > kMaxFunctions) {
    functions.clear();
    function_count = 0;
    return functions_of(unit);
  }
  std::vector<Range>& ranges = found->second;
  std::vector<Dwarf_Die> open = {unit};
  while (!open.empty()) {
    Dwarf_Die parent = open.back();
    open.pop_back();
    Dwarf_Die child;
    for (int more = dwarf_child(&parent, &child); more == 0;) {
      const int tag = dwarf_tag(&child);
      if (tag == DW_TAG_subprogram) add_ranges(&child, ranges);
      if (may_hold_functions(tag) && open.size() < kMaxRanges) open.push_back(child);
      Dwarf_Die next;
      more = dwarf_siblingof(&child, &next);
      child = next;
    }
  }
  sort(ranges);
  function_count += ranges.size();
  return ranges;
}

DwarfFile::DwarfFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
DwarfFile::DwarfFile(DwarfFile&&) noexcept = default;
DwarfFile& DwarfFile::operator=(DwarfFile&&) noexcept = default;
DwarfFile::~DwarfFile() = default;

Result<DwarfFile> DwarfFile::open(Fd file) {
  auto state = std::make_unique<State>();
  state->file = std::move(file);
  state->dwarf.reset(dwarf_begin(state->file.get(), DWARF_C_READ));
  if (state->dwarf == nullptr) return Error{"the file has no debug information"};
  state->index();
  return DwarfFile(std::move(state));
}

std::vector<SourceFrame> DwarfFile::find(uint64_t address) {
  Dwarf* dwarf = state_->dwarf.get();
  const Range* range = find_in(state_->units, address);
  Dwarf_Die unit;
  if (range == nullptr || dwarf_offdie(dwarf, range->die, &unit) == nullptr) return {};
  Place place = place_of(&unit, address);
  const Range* found = find_in(state_->functions_of(unit), address);
  Dwarf_Die function;
  if (found == nullptr || dwarf_offdie(dwarf, found->die, &function) == nullptr) {
    // Assembly has lines but no functions.
    if (place.line == 0) return {};
    return {{"", place.file, place.line, 0}};
  }
  std::vector<SourceFrame> frames;
  auto blocks = blocks_around(function, address);
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    if (dwarf_tag(&*block) != DW_TAG_inlined_subroutine) continue;
    frames.push_back(frame_of(&*block, place));
    place = call_place(&unit, &*block);
  }
  frames.push_back(frame_of(&function, place));
  return frames;
}

}  // namespace pyprof::elf
