// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/eh_frame.h"

#include <dwarf.h>

#include <algorithm>
#include <limits>
#include <string_view>

namespace pyprof::elf {
namespace {

constexpr std::size_t kMaxCies = 200'000;
constexpr uint32_t kLongLength = 0xffffffff;

struct Location {
  std::span<const uint8_t> bytes;
  uint64_t address = 0;
  bool exact = false;  // the size is that of the section, else it ends at the terminator
};

std::optional<Location> locate_by_section(const ElfFile& file) {
  const Section* section = file.section(".eh_frame");
  if (section == nullptr) return std::nullopt;
  const auto bytes = file.section_bytes(*section);
  if (bytes.empty()) return std::nullopt;
  return Location{bytes, section->address, true};
}

std::optional<Location> locate_by_header(const ElfFile& file) {
  const auto header = file.eh_frame_header();
  if (!header) return std::nullopt;
  ByteReader reader(file.at_address(header->address, header->file_bytes));
  const auto version = reader.read<uint8_t>();
  const auto encoding = reader.read<uint8_t>();
  reader.read<uint16_t>();  // encodings of the search table, which is not used
  const uint64_t address = read_encoded(reader, encoding, header->address);
  if (reader.failed() || version != 1) return std::nullopt;
  const auto bytes = file.at_address(address, std::numeric_limits<uint32_t>::max());
  if (bytes.empty()) return std::nullopt;
  return Location{bytes, address, false};
}

// The personality routine's pointer is not wanted, only its size.
void skip_encoded(ByteReader& reader, uint8_t encoding) {
  constexpr uint8_t kFormatMask = 0x0f;
  if (encoding != DW_EH_PE_omit) read_encoded(reader, encoding & kFormatMask, 0);
}

void parse_augmentation(ByteReader& reader, std::string_view letters, Cie& cie) {
  ByteReader data(reader.take(reader.uleb()));
  for (const char letter : letters) {
    if (letter == 'R') {
      cie.pointer_encoding = data.read<uint8_t>();
    } else if (letter == 'P') {
      skip_encoded(data, data.read<uint8_t>());
    } else if (letter == 'L') {
      data.read<uint8_t>();
    } else if (letter == 'S') {
      cie.signal_frame = true;
    } else {
      reader.fail();
    }
  }
  if (data.failed()) reader.fail();
}

std::string_view read_letters(ByteReader& reader) {
  constexpr std::size_t kMaxLetters = 16;
  const auto rest = reader.rest();
  const auto end = std::find(rest.begin(), rest.end(), uint8_t{0});
  const auto length = static_cast<std::size_t>(end - rest.begin());
  if (end == rest.end() || length > kMaxLetters) {
    reader.fail();
    return {};
  }
  reader.take(length + 1);
  return {reinterpret_cast<const char*>(rest.data()), length};
}

// `body` starts after the CIE id.
Cie parse_cie(std::span<const uint8_t> body, uint64_t body_address, uint64_t offset) {
  Cie cie{.offset = offset};
  ByteReader reader(body);
  const auto version = reader.read<uint8_t>();
  const auto letters = read_letters(reader);
  if (version == 4 && (reader.read<uint8_t>() != 8 || reader.read<uint8_t>() != 0)) return cie;
  cie.code_align = reader.uleb();
  cie.data_align = reader.sleb();
  const uint64_t return_register = version == 1 ? reader.read<uint8_t>() : reader.uleb();
  if (letters.starts_with('z')) {
    cie.sized_augmentation = true;
    parse_augmentation(reader, letters.substr(1), cie);
  } else if (!letters.empty()) {
    reader.fail();
  }
  const bool known_version = version == 1 || version == 3 || version == 4;
  cie.readable = known_version && !reader.failed();
  if (!cie.readable || return_register != dwarf_register::kReturnAddress) return cie;
  CfiProgram program(cie, reader.rest(), body_address + reader.position(), 0);
  cie.usable = program.step() == CfiProgram::Step::kEnd;
  cie.initial = program.state();
  return cie;
}

// One walk; the members are its state.
class Walk {
 public:
  Walk(EhFrame& out, std::size_t max_fdes, Unsupported& unsupported)
      : out_(out), max_fdes_(max_fdes), unsupported_(unsupported) {}

  void run(bool exact) {
    uint64_t at = 0;
    while (const auto length = load<uint32_t>(out_.bytes, at)) {
      uint64_t size = *length;
      uint64_t body = at + sizeof(*length);
      if (size == kLongLength) {
        size = load<uint64_t>(out_.bytes, body).value_or(0);
        body += sizeof(uint64_t);
      }
      // Linkers leave terminators in the middle of a section; without a section one is the end.
      if (size == 0 && !exact) return;
      if (body > out_.bytes.size() || size > out_.bytes.size() - body) {
        unsupported_["record_cut"]++;
        return;
      }
      if (size != 0 && !record(at, body, size)) return;
      at = body + size;
    }
  }

 private:
  bool record(uint64_t at, uint64_t body, uint64_t size) {
    const auto id = load<uint32_t>(out_.bytes.subspan(body, size), 0);
    if (!id) return true;
    const auto content = out_.bytes.subspan(body + sizeof(*id), size - sizeof(*id));
    if (*id == 0) return add_cie(content, body + sizeof(*id), at);
    add_fde(content, body + sizeof(*id), body - *id, *id <= body);
    out_.cut |= out_.fdes.size() >= max_fdes_;
    return !out_.cut;
  }

  bool add_cie(std::span<const uint8_t> content, uint64_t offset, uint64_t at) {
    if (out_.cies.size() >= kMaxCies) {
      out_.cut = true;
      return false;
    }
    out_.cies.push_back(parse_cie(content, out_.address + offset, at));
    return true;
  }

  void add_fde(std::span<const uint8_t> content, uint64_t offset, uint64_t cie_at,
               bool in_section) {
    const auto cie =
        std::lower_bound(out_.cies.begin(), out_.cies.end(), cie_at,
                         [](const Cie& c, uint64_t value) { return c.offset < value; });
    if (!in_section || cie == out_.cies.end() || cie->offset != cie_at || !cie->readable) {
      unsupported_["cie"]++;
      return;
    }
    constexpr uint8_t kFormatMask = 0x0f;
    ByteReader reader(content);
    const uint64_t start = read_encoded(reader, cie->pointer_encoding, out_.address + offset);
    const uint64_t length = read_encoded(reader, cie->pointer_encoding & kFormatMask, 0);
    if (cie->sized_augmentation) reader.take(reader.uleb());
    if (reader.failed() || start + length < start) {
      unsupported_["fde"]++;
      return;
    }
    if (length == 0) return;
    out_.fdes.push_back(Fde{.start = start,
                            .end = start + length,
                            .instructions = static_cast<uint32_t>(offset + reader.position()),
                            .instruction_bytes = static_cast<uint32_t>(reader.rest().size()),
                            .cie = static_cast<uint32_t>(cie - out_.cies.begin())});
  }

  EhFrame& out_;
  std::size_t max_fdes_;
  Unsupported& unsupported_;
};

}  // namespace

std::optional<EhFrame> read_eh_frame(const ElfFile& file, std::size_t max_fdes,
                                     Unsupported& unsupported) {
  auto location = locate_by_section(file);
  if (!location) location = locate_by_header(file);
  if (!location) return std::nullopt;
  EhFrame frame;
  frame.bytes = clip(location->bytes, 0, std::numeric_limits<uint32_t>::max());
  frame.address = location->address;
  frame.cut = frame.bytes.size() < location->bytes.size();
  Walk(frame, max_fdes, unsupported).run(location->exact);
  const auto before = [](const Fde& a, const Fde& b) { return a.start < b.start; };
  if (!std::is_sorted(frame.fdes.begin(), frame.fdes.end(), before)) {
    std::stable_sort(frame.fdes.begin(), frame.fdes.end(), before);
  }
  return frame;
}

}  // namespace pyprof::elf
