// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/text.h"

#include <cstring>

#include "bpf/wire.h"

namespace pyprof::python {
namespace {

constexpr uint32_t kReplacement = 0xfffd;
constexpr uint32_t kMaxCharacter = 0x10ffff;

bool is_surrogate(uint32_t c) {
  return c >= 0xd800 && c <= 0xdfff;
}

// Characters that change how the rest of a line is shown.
bool is_hidden_control(uint32_t c) {
  const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
  const bool separator = c == 0x2028 || c == 0x2029;
  const bool bidirectional = c == 0x61c || c == 0x200e || c == 0x200f ||
                             (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return control || separator || bidirectional;
}

void append_utf8(std::string& out, uint32_t c) {
  const auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 63));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 63));
    put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  }
}

void append_shown(std::string& out, uint32_t c) {
  if (is_surrogate(c) || c > kMaxCharacter) c = kReplacement;
  append_utf8(out, is_hidden_control(c) ? '?' : c);
}

// The parts of a record behind its head, handed out in order.
class Tail {
 public:
  explicit Tail(std::span<const uint8_t> bytes) : rest_(bytes) {}

  bool take(std::size_t count, std::span<const uint8_t>& part) {
    if (count > rest_.size()) return false;
    part = rest_.first(count);
    rest_ = rest_.subspan(count);
    return true;
  }

 private:
  std::span<const uint8_t> rest_;
};

bool whole(const wire_text& text) {
  return !(text.flags & (WIRE_TEXT_CUT | WIRE_TEXT_FAULT)) &&
         uint64_t{text.length} * text.kind == text.bytes;
}

model::CodeObject from_head(const wire_code& head) {
  model::CodeObject code;
  code.process = head.proc;
  code.id = head.id;
  code.address = head.address;
  code.pid = static_cast<int32_t>(head.tgid);
  code.first_line = head.first_line;
  code.line_table_bytes = head.linetable_size;
  code.version = static_cast<uint16_t>(head.version_slot);
  code.complete = !(head.flags & WIRE_CODE_FAULT) && whole(head.qualname) && whole(head.filename) &&
                  head.linetable_bytes == head.linetable_size;
  return code;
}

}  // namespace

std::string decode_text(std::span<const uint8_t> bytes, uint8_t kind) {
  std::string out;
  if (kind != 1 && kind != 2 && kind != 4) return out;
  out.reserve(bytes.size() / kind);
  for (std::size_t at = 0; bytes.size() - at >= kind; at += kind) {
    uint32_t c = 0;
    std::memcpy(&c, bytes.data() + at, kind);
    append_shown(out, c);
  }
  return out;
}

Result<model::CodeObject> decode_code(std::span<const uint8_t> record) {
  wire_code head;
  if (record.size() < sizeof(head))
    return Error{"code object record from the kernel: shorter than its head"};
  std::memcpy(&head, record.data(), sizeof(head));
  Tail tail(record.subspan(sizeof(head)));
  std::span<const uint8_t> qualname, filename, table;
  if (head.type != WIRE_TYPE_CODE || !tail.take(head.qualname.bytes, qualname) ||
      !tail.take(head.filename.bytes, filename) || !tail.take(head.linetable_bytes, table))
    return Error{"code object record from the kernel: parts do not fit its size"};
  model::CodeObject code = from_head(head);
  code.qualname = decode_text(qualname, head.qualname.kind);
  code.filename = decode_text(filename, head.filename.kind);
  code.line_table.assign(table.begin(), table.end());
  return code;
}

}  // namespace pyprof::python
