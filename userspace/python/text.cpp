// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/text.h"

#include <cstring>
#include <string_view>

#include "bpf/wire.h"

namespace pyprof::python {
namespace {

constexpr uint32_t kReplacement = 0xfffd;
constexpr uint32_t kMaxCharacter = 0x10ffff;
// 2.7: the type of all instances of classes that don't derive from object.
constexpr std::string_view kOldStyleInstance = "instance";

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

constexpr uint32_t kNotUtf8 = 0xffffffff;

// The character at `at`, which moves on. Overlong forms and surrogates are not UTF-8.
uint32_t read_utf8(std::span<const uint8_t> bytes, std::size_t& at) {
  constexpr uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
  const uint8_t first = bytes[at++];
  if (first < 0x80) return first;
  const unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  if (first < 0xc0 || first >= 0xf8 || bytes.size() - at < more) return kNotUtf8;
  uint32_t c = first & (0x3fu >> more);
  for (unsigned i = 0; i < more; ++i) {
    const uint8_t byte = bytes[at++];
    if ((byte & 0xc0) != 0x80) return kNotUtf8;
    c = c << 6 | (byte & 63u);
  }
  return c < kSmallest[more] || c > kMaxCharacter || is_surrogate(c) ? kNotUtf8 : c;
}

std::string decode_part(std::span<const uint8_t> bytes, const wire_text& text) {
  return text.flags & WIRE_TEXT_BYTES ? decode_bytes(bytes) : decode_text(bytes, text.kind);
}

// tp_name of a class made by C code begins with its module.
std::string_view class_name(std::string_view type_name) {
  return type_name.substr(type_name.rfind('.') + 1);
}

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
  code.method = (head.flags & WIRE_CODE_METHOD) != 0;
  code.argument = head.argument;
  code.argument_type = head.argument_type;
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

std::string decode_bytes(std::span<const uint8_t> bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const uint32_t c = read_utf8(bytes, at);
    if (c == kNotUtf8) return decode_text(bytes, 1);
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
  std::span<const uint8_t> qualname, filename, table, owner;
  if (head.type != WIRE_TYPE_CODE || !tail.take(head.qualname.bytes, qualname) ||
      !tail.take(head.filename.bytes, filename) || !tail.take(head.linetable_bytes, table) ||
      !tail.take(head.owner_bytes, owner))
    return Error{"code object record from the kernel: parts do not fit its size"};
  model::CodeObject code = from_head(head);
  code.qualname = decode_part(qualname, head.qualname);
  code.filename = decode_part(filename, head.filename);
  const std::string class_of = decode_bytes(owner);
  if (!class_of.empty() && !code.qualname.empty() && class_of != kOldStyleInstance)
    code.qualname.insert(0, std::string(class_name(class_of)) + '.');
  code.line_table.assign(table.begin(), table.end());
  return code;
}

Result<model::TaskName> decode_task(const wire_task& record) {
  if (record.name.bytes > sizeof(record.text))
    return Error{"task name record from the kernel: more bytes than it can hold"};
  model::TaskName task{record.id, record.time_ns, {}};
  if (record.name.kind == 0) {
    task.name = "Task-" + std::to_string(record.number);
    return task;
  }
  task.name = decode_text({record.text, record.name.bytes}, record.name.kind);
  if (record.name.flags & WIRE_TEXT_CUT) task.name += "\u2026";
  return task;
}

}  // namespace pyprof::python
