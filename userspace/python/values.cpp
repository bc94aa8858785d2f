// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstring>

namespace pyprof::python {
namespace {

// As in objects.cpp: equal in 2.7 to 3.15, behind a longer head in free-threaded builds.
constexpr uint64_t kObjectType = 8;
constexpr uint64_t kTypeName = 24;
constexpr uint64_t kTypeFlags = 168;
constexpr uint64_t kTypeDict = 264;
constexpr uint64_t kFloatValue = 16;
constexpr uint64_t kInteger = 16;  // PyIntObject, 2.7
constexpr uint64_t kSize = 16;     // of list and tuple, the int's sign and number of digits
constexpr uint64_t kListItems = 24;
constexpr uint64_t kDigits = 24;
constexpr uint64_t kCellContent = 16;
constexpr uint64_t kHeapType = 1 << 9;

constexpr uint64_t kMaxDigits = 40;  // of 30 bits each; longer numbers are described
constexpr std::size_t kRedactedBytes = 16;
constexpr std::size_t kNameBytes = 256;
const char* const kUnreadable = "<unreadable>";

// Names of tp_name, as far as repr() is known for them.
bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Decimal digits of a number in base 2^30, least digit first.
std::string decimal(std::vector<uint32_t> digits) {
  constexpr uint32_t kChunk = 1'000'000'000;
  std::string text;
  while (!digits.empty()) {
    uint64_t rest = 0;
    for (std::size_t i = digits.size(); i-- > 0;) {
      rest = rest << 30 | digits[i];
      digits[i] = static_cast<uint32_t>(rest / kChunk);
      rest %= kChunk;
    }
    while (!digits.empty() && digits.back() == 0)
      digits.pop_back();
    text = (digits.empty() ? fmt::format("{}", rest) : fmt::format("{:09}", rest)) + text;
  }
  return text.empty() ? "0" : text;
}

// As repr() quotes.
std::string quoted(std::string_view text, bool is_bytes) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    if (byte == quote || byte == '\\') {
      (out += '\\') += byte;
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\r') {
      out += "\\r";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (value < 0x20 || value == 0x7f || (is_bytes && value > 0x7f)) {
      out += fmt::format("\\x{:02x}", value);
    } else {
      out += byte;
    }
  }
  return out + quote;
}

}  // namespace

bool is_secret_name(std::string_view name) {
  static constexpr std::array<std::string_view, 14> kWords = {
      "passw", "passphrase", "pwd",     "secret",  "token",     "key",  "auth",
      "cred",  "cookie",     "session", "private", "signature", "salt", "bearer"};
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

bool ValueReader::read_type(uint64_t object, Type& type) const {
  const uint64_t growth = objects_.head_growth();
  uint64_t name = 0;
  if (object == 0 || !memory_.read_value(object + kObjectType + growth, type.address) ||
      !memory_.read_value(type.address + kTypeFlags + growth, type.flags) ||
      !memory_.read_value(type.address + kTypeName + growth, name)) {
    return false;
  }
  // Byte by byte up to a page's end would be slow, the whole might cross into nothing.
  std::array<char, 64> text{};
  for (std::size_t bytes = text.size(); bytes >= 8; bytes /= 2) {
    text = {};
    if (memory_.read(name, text.data(), bytes)) break;
  }
  type.name.assign(text.data(), ::strnlen(text.data(), text.size()));
  return !type.name.empty();
}

std::string ValueReader::value(uint64_t object, unsigned depth) const {
  Type type;
  if (values_left_ == 0) return "...";
  --values_left_;
  if (!read_type(object, type)) return kUnreadable;
  std::string text = (type.flags & kHeapType) == 0 ? builtin(object, type, depth) : "";
  return text.empty() ? object_text(type) : text;
}

std::string ValueReader::builtin(uint64_t object, const Type& type, unsigned depth) const {
  const bool old = config_.version < 0x300;
  if (type.name == "NoneType") return "None";
  if (type.name == "bool") {
    const auto number = objects_.integer(object);
    return !number ? kUnreadable : *number != 0 ? "True" : "False";
  }
  if (type.name == "int" && old) {
    int64_t number = 0;
    return memory_.read_value(object + kInteger, number) ? fmt::format("{}", number) : kUnreadable;
  }
  if (type.name == "int" || (old && type.name == "long")) return int_text(object, old);
  if (type.name == "float") return float_text(object);
  if (type.name == "str") return str_text(object);
  if (type.name == "bytes") return bytes_text(object);
  if (!is_one_of(type.name, {"list", "tuple", "dict"})) return "";
  const bool is_list = type.name == "list", is_tuple = type.name == "tuple";
  if (depth >= limits_.depth) return is_list ? "[...]" : is_tuple ? "(...)" : "{...}";
  if (is_list) return list_text(object, depth + 1);
  return is_tuple ? tuple_text(object, depth + 1) : dict_text(object, depth + 1);
}

// A class written in Python says its module in its dict, one of C code in its name.
std::string ValueReader::object_text(const Type& type) const {
  uint64_t dict = 0;
  std::string module;
  const bool has_module = type.name.find('.') != std::string::npos;
  if ((type.flags & kHeapType) != 0 && !has_module &&
      memory_.read_value(type.address + kTypeDict + objects_.head_growth(), dict)) {
    module = name(objects_.dict_value(dict, "__module__"));
  }
  if (module == "builtins" || module == "__builtin__") module.clear();
  const std::string text = quoted(type.name, true);  // without what would move a cursor
  return fmt::format("<{}{}{} object>", module, module.empty() ? "" : ".",
                     text.substr(1, text.size() - 2));
}

std::string ValueReader::int_text(uint64_t object, bool old_long) const {
  int64_t tag = 0;
  const uint64_t growth = objects_.head_growth();
  if (!memory_.read_value(object + kSize + growth, tag)) return kUnreadable;
  const bool tagged = config_.version >= 0x30c;
  const bool negative = tagged ? (tag & 3) == 2 : tag < 0;
  const auto count = static_cast<uint64_t>(tagged ? tag >> 3 : std::abs(tag));
  if (tagged && (tag & 3) == 1) return "0";
  if (count > kMaxDigits) return fmt::format("<int of {} bits>", 30 * count);
  std::vector<uint32_t> digits(count);
  if (count > 0 && !memory_.read(object + kDigits + growth, digits.data(), 4 * count))
    return kUnreadable;
  for (uint32_t& digit : digits)
    digit &= (1U << 30) - 1;
  return (negative ? "-" : "") + decimal(std::move(digits)) + (old_long ? "L" : "");
}

std::string ValueReader::float_text(uint64_t object) const {
  double number = 0;
  if (!memory_.read_value(object + kFloatValue + objects_.head_growth(), number))
    return kUnreadable;
  if (std::isnan(number)) return "nan";
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

std::size_t ValueReader::text_limit() const {
  return limits_.redact ? std::min(limits_.text_bytes, kRedactedBytes) : limits_.text_bytes;
}

std::string ValueReader::str_text(uint64_t object) const {
  const auto text = objects_.text(object, text_limit());
  if (!text) return kUnreadable;
  return quoted(text->utf8, false) + (text->whole ? "" : "...");
}

std::string ValueReader::bytes_text(uint64_t object) const {
  int64_t size = 0;
  if (!memory_.read_value(object + config_.bytes_size, size) || size < 0) return kUnreadable;
  const std::string bytes = raw_bytes(object, text_limit());
  const bool whole = bytes.size() == static_cast<std::size_t>(size);
  if (bytes.empty() && size > 0) return kUnreadable;
  return "b" + quoted(bytes, true) + (whole ? "" : "...");
}

std::string ValueReader::raw_bytes(uint64_t object, std::size_t max) const {
  int64_t size = 0;
  if (object == 0 || !memory_.read_value(object + config_.bytes_size, size) || size < 0) return "";
  std::string bytes(std::min<std::size_t>(static_cast<std::size_t>(size), max), '\0');
  return memory_.read(object + config_.bytes_data, bytes.data(), bytes.size()) ? bytes : "";
}

std::string ValueReader::joined(const std::vector<uint64_t>& items, std::size_t count,
                                unsigned depth) const {
  std::string text;
  for (const uint64_t item : items)
    text += (text.empty() ? "" : ", ") + value(item, depth);
  return items.size() < count ? text + ", ..." : text;
}

std::string ValueReader::list_text(uint64_t object, unsigned depth) const {
  struct {
    int64_t size;
    uint64_t items;
  } head{};
  if (!memory_.read_value(object + kSize + objects_.head_growth(), head) || head.size < 0)
    return kUnreadable;
  const auto count = static_cast<std::size_t>(head.size);
  std::vector<uint64_t> items(std::min(count, limits_.items));
  if (!items.empty() && !memory_.read(head.items, items.data(), 8 * items.size()))
    return kUnreadable;
  static_assert(kListItems == kSize + 8);
  return "[" + joined(items, count, depth) + "]";
}

std::vector<uint64_t> ValueReader::tuple_items(uint64_t object, std::size_t max) const {
  int64_t size = 0;
  const uint64_t growth = objects_.head_growth();
  // 3.14 put a hash in front of the items.
  const uint64_t first = object + (config_.version >= 0x30e ? 32 : 24) + growth;
  if (object == 0 || !memory_.read_value(object + kSize + growth, size) || size < 0) return {};
  std::vector<uint64_t> items(std::min<std::size_t>(static_cast<std::size_t>(size), max));
  if (!items.empty() && !memory_.read(first, items.data(), 8 * items.size())) return {};
  return items;
}

std::string ValueReader::tuple_text(uint64_t object, unsigned depth) const {
  int64_t size = 0;
  if (!memory_.read_value(object + kSize + objects_.head_growth(), size) || size < 0)
    return kUnreadable;
  const auto items = tuple_items(object, limits_.items);
  if (items.empty() && size > 0) return kUnreadable;
  return "(" + joined(items, static_cast<std::size_t>(size), depth) + (size == 1 ? ",)" : ")");
}

std::string ValueReader::dict_text(uint64_t object, unsigned depth) const {
  const auto entries = objects_.dict_entries(object);
  std::string text;
  for (std::size_t i = 0; i < std::min(entries.size(), limits_.items); ++i) {
    const bool secret = limits_.redact && is_secret_name(name(entries[i].key));
    text += fmt::format("{}{}: {}", i > 0 ? ", " : "", value(entries[i].key, depth),
                        secret ? "<redacted>" : value(entries[i].value, depth));
  }
  return "{" + text + (entries.size() > limits_.items ? ", ...}" : "}");
}

uint64_t ValueReader::content(uint64_t object) const {
  Type type;
  uint64_t inner = 0;
  if (!read_type(object, type) || type.name != "cell") return object;
  return memory_.read_value(object + kCellContent + objects_.head_growth(), inner) ? inner : 0;
}

std::string ValueReader::name(uint64_t object) const {
  const auto text = objects_.text(object, kNameBytes);
  return text ? text->utf8 : "";
}

}  // namespace pyprof::python
