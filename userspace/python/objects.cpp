// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/objects.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "userspace/python/text.h"

namespace pyprof::python {
namespace {

// Equal in 3.11 to 3.14.
constexpr uint64_t kObjectType = 8;      // PyObject.ob_type
constexpr uint64_t kTypeBasicSize = 32;  // PyTypeObject
constexpr uint64_t kTypeFlags = 168;
constexpr uint64_t kDictKeys = 32;  // PyDictObject: ma_keys, ma_values
constexpr uint64_t kLongTag = 16;   // PyLongObject: ob_size or lv_tag, then digits
constexpr uint64_t kLongDigits = 24;
constexpr uint64_t kManagedDict = 24;  // in front of the object
constexpr uint64_t kManagedValues = 32;

constexpr uint64_t kFlagManagedDict = 1 << 4;  // tp_flags
constexpr uint64_t kFlagInlineValues = 1 << 2;
constexpr uint64_t kFlagLong = 1 << 24;
constexpr uint64_t kFlagText = 1 << 28;
constexpr uint64_t kFlagDict = 1 << 29;

constexpr int64_t kMaxDictEntries = 65536;
constexpr uint64_t kMaxSharedKeys = 254;
constexpr unsigned kMaxIndexBits = 24;

// PyDictKeysObject, followed by the index and the entries.
struct DictKeys {
  uint64_t references;
  uint8_t size_bits;
  uint8_t index_bits;  // log2 of the index's bytes
  uint8_t kind;
  uint8_t unused;
  uint32_t version;
  int64_t usable;
  int64_t entries;
};
static_assert(sizeof(DictKeys) == 32);

enum DictKind : uint8_t { kGeneral = 0, kUnicode = 1, kSplit = 2 };

// 3.13 on: PyDictValues, followed by the values.
struct ValuesHead {
  uint8_t capacity;
  uint8_t size;
  uint8_t embedded;
  uint8_t valid;
  uint32_t pad;
};
static_assert(sizeof(ValuesHead) == 8);

std::size_t values_offset(AttributeStorage storage) {
  return storage == AttributeStorage::kInline ? sizeof(ValuesHead) : 0;
}

}  // namespace

bool ObjectReader::has_type_flag(uint64_t object, uint64_t flag) const {
  uint64_t type = 0, flags = 0;
  return object && memory_.read_value(object + kObjectType, type) &&
         memory_.read_value(type + kTypeFlags, flags) && (flags & flag);
}

std::optional<RemoteText> ObjectReader::text(uint64_t object, std::size_t max_bytes) const {
  uint64_t length = 0;
  uint32_t state = 0;
  if (!has_type_flag(object, kFlagText) ||
      !memory_.read_value(object + config_.str_length, length) ||
      !memory_.read_value(object + config_.str_state, state))
    return std::nullopt;
  state >>= config_.str_kind_shift;
  const auto kind = static_cast<uint8_t>(state & 7);
  const bool compact = state & 8, ascii = state & 16;
  if (!compact || (kind != 1 && kind != 2 && kind != 4)) return std::nullopt;
  RemoteText result;
  result.whole = length <= max_bytes / kind;
  std::vector<uint8_t> bytes(result.whole ? length * kind : max_bytes / kind * kind);
  const uint64_t data = object + (ascii ? config_.str_ascii_data : config_.str_compact_data);
  if (!bytes.empty() && !memory_.read(data, bytes.data(), bytes.size())) return std::nullopt;
  result.utf8 = decode_text(bytes, kind);
  return result;
}

bool ObjectReader::text_is(uint64_t object, std::string_view expected) const {
  uint64_t length = 0;
  if (!object || !memory_.read_value(object + config_.str_length, length) ||
      length != expected.size())
    return false;
  const auto found = text(object, expected.size());
  return found && found->whole && found->utf8 == expected;
}

std::optional<uint64_t> ObjectReader::integer(uint64_t object) const {
  constexpr unsigned kDigitBits = 30;
  constexpr uint64_t kMaxDigits = 3;
  uint64_t tag = 0;
  uint32_t digits[kMaxDigits] = {};
  if (!has_type_flag(object, kFlagLong) || !memory_.read_value(object + kLongTag, tag))
    return std::nullopt;
  // 3.12 on: digits << 3 | sign, where 0 is positive; before: a signed number of digits
  const bool tagged = config_.version >= 0x30c;
  if (tagged && (tag & 3) == 1) return 0;
  if (tagged && (tag & 3)) return std::nullopt;
  const uint64_t count = tagged ? tag >> 3 : tag;
  if (count > kMaxDigits) return std::nullopt;
  if (count && !memory_.read(object + kLongDigits, digits, count * sizeof(digits[0])))
    return std::nullopt;
  if (digits[2] >= 1u << (64 - 2 * kDigitBits)) return std::nullopt;
  return uint64_t{digits[0]} | uint64_t{digits[1]} << kDigitBits |
         uint64_t{digits[2]} << 2 * kDigitBits;
}

// `values` 0 = the values are in the table.
std::vector<ObjectReader::Entry> ObjectReader::table_entries(uint64_t keys, uint64_t values) const {
  DictKeys head;
  if (!keys || !memory_.read_value(keys, head) || head.kind > kSplit ||
      head.index_bits > kMaxIndexBits || head.entries <= 0 || head.entries > kMaxDictEntries ||
      (head.kind == kSplit && !values))
    return {};
  const auto count = static_cast<std::size_t>(head.entries);
  const std::size_t words = head.kind == kGeneral ? 3 : 2;  // hash, key, value or key, value
  std::vector<uint64_t> table(count * words), separate(values ? count : 0);
  const uint64_t first = keys + sizeof(head) + (uint64_t{1} << head.index_bits);
  if (!memory_.read(first, table.data(), table.size() * sizeof(table[0]))) return {};
  if (values && (count > kMaxSharedKeys || !memory_.read(values, separate.data(), count * 8)))
    return {};
  std::vector<Entry> entries;
  entries.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const uint64_t* last = &table[i * words + words - 1];
    const Entry entry{last[-1], values ? separate[i] : last[0]};
    if (entry.key && entry.value) entries.push_back(entry);
  }
  return entries;
}

std::vector<ObjectReader::Entry> ObjectReader::dict_entries(uint64_t object) const {
  uint64_t tables[2];  // keys, values
  if (!has_type_flag(object, kFlagDict) || !memory_.read_value(object + kDictKeys, tables))
    return {};
  const uint64_t values = tables[1] ? tables[1] + values_offset(runtime_.attributes) : 0;
  return table_entries(tables[0], values);
}

uint64_t ObjectReader::find(const std::vector<Entry>& entries, std::string_view key) const {
  const auto hit = std::find_if(entries.begin(), entries.end(),
                                [&](const Entry& entry) { return text_is(entry.key, key); });
  return hit == entries.end() ? 0 : hit->value;
}

uint64_t ObjectReader::dict_value(uint64_t object, std::string_view key) const {
  return find(dict_entries(object), key);
}

// Values behind an object; 0 = they moved into a dict.
uint64_t ObjectReader::valid_values(uint64_t head_address) const {
  ValuesHead head;
  return memory_.read_value(head_address, head) && head.valid ? head_address + sizeof(head) : 0;
}

uint64_t ObjectReader::attribute(uint64_t object, std::string_view name) const {
  uint64_t type = 0, keys = 0, basic_size = 0, dict = 0, values = 0;
  if (!has_type_flag(object, kFlagManagedDict) || !memory_.read_value(object + kObjectType, type) ||
      !memory_.read_value(type + runtime_.type_cached_keys, keys) ||
      !memory_.read_value(object - kManagedDict, dict))
    return 0;
  switch (runtime_.attributes) {
    case AttributeStorage::kTwoPointers:
      if (!memory_.read_value(object - kManagedValues, values)) return 0;
      break;
    case AttributeStorage::kTaggedPointer:  // stored one below its address, which is even
      if (dict & 1) values = std::exchange(dict, 0) + 1;
      break;
    case AttributeStorage::kInline:
      if (dict || !has_type_flag(object, kFlagInlineValues)) break;
      if (!memory_.read_value(type + kTypeBasicSize, basic_size)) return 0;
      values = valid_values(object + basic_size);
      break;
  }
  if (dict) return dict_value(dict, name);
  return values ? find(table_entries(keys, values), name) : 0;
}

}  // namespace pyprof::python
