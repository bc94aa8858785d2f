// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/objects.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "userspace/python/text.h"

namespace pyprof::python {
namespace {

// Equal in 2.7 to 3.15 where not said otherwise. In free-threaded builds the head of each object is
// longer, and what follows lies further back: see head_growth().
constexpr uint64_t kObjectType = 8;      // PyObject.ob_type
constexpr uint64_t kTypeBasicSize = 32;  // PyTypeObject
constexpr uint64_t kTypeFlags = 168;
constexpr uint64_t kTypeDictOffset = 288;
constexpr uint64_t kDictMask = 32;  // PyDictObject of 2.7: ma_mask, ma_table
constexpr uint64_t kDictKeys = 32;  // 3.6 on: ma_keys, ma_values
constexpr uint64_t kInteger = 16;   // PyIntObject.ob_ival, 2.7
constexpr uint64_t kLongTag = 16;   // PyLongObject: ob_size or lv_tag, then digits
constexpr uint64_t kLongDigits = 24;
constexpr uint64_t kManagedDict = 24;             // in front of the object
constexpr uint64_t kFreeThreadedManagedDict = 8;  // there is no head of the collector
constexpr uint64_t kManagedValues = 32;

constexpr uint64_t kFlagManagedDict = 1 << 4;  // tp_flags
constexpr uint64_t kFlagInlineValues = 1 << 2;
constexpr uint64_t kFlagInt = 1 << 23;  // 2.7
constexpr uint64_t kFlagLong = 1 << 24;
constexpr uint64_t kFlagBytes = 1 << 27;
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

// The same in 3.6 to 3.10: an index with one element per slot, then the entries.
struct LookupKeys {
  uint64_t references;
  int64_t slots;
  uint64_t lookup;
  int64_t usable;
  int64_t entries;
};
static_assert(sizeof(LookupKeys) == 40);

uint64_t index_bytes(int64_t slots) {
  return static_cast<uint64_t>(slots) * (slots <= 0xff ? 1 : slots <= 0xffff ? 2 : 4);
}

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
  return object && memory_.read_value(object + kObjectType + head_growth(), type) &&
         memory_.read_value(type + kTypeFlags + head_growth(), flags) && (flags & flag);
}

// 2.7's str.
std::optional<RemoteText> ObjectReader::byte_text(uint64_t object, std::size_t max_bytes) const {
  uint64_t length = 0;
  if (!has_type_flag(object, kFlagBytes) ||
      !memory_.read_value(object + config_.str_length, length))
    return std::nullopt;
  RemoteText result;
  result.whole = length <= max_bytes;
  std::vector<uint8_t> bytes(std::min<std::size_t>(length, max_bytes));
  if (!bytes.empty() && !memory_.read(object + config_.str_ascii_data, bytes.data(), bytes.size()))
    return std::nullopt;
  result.utf8 = decode_bytes(bytes);
  return result;
}

std::optional<RemoteText> ObjectReader::text(uint64_t object, std::size_t max_bytes) const {
  if (config_.str_state == kNoMember) return byte_text(object, max_bytes);
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
  int64_t plain = 0;
  if (config_.version < 0x300 && has_type_flag(object, kFlagInt)) {
    if (!memory_.read_value(object + kInteger, plain) || plain < 0) return std::nullopt;
    return static_cast<uint64_t>(plain);
  }
  if (!has_type_flag(object, kFlagLong) ||
      !memory_.read_value(object + kLongTag + head_growth(), tag))
    return std::nullopt;
  // 3.12 on: digits << 3 | sign, where 0 is positive; before: a signed number of digits
  const bool tagged = config_.version >= 0x30c;
  if (tagged && (tag & 3) == 1) return 0;
  if (tagged && (tag & 3)) return std::nullopt;
  const uint64_t count = tagged ? tag >> 3 : tag;
  if (count > kMaxDigits) return std::nullopt;
  if (count &&
      !memory_.read(object + kLongDigits + head_growth(), digits, count * sizeof(digits[0])))
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
  const std::size_t words = head.kind == kGeneral ? 3 : 2;  // hash, key, value or key, value
  return entries_at(keys + sizeof(head) + (uint64_t{1} << head.index_bits),
                    static_cast<std::size_t>(head.entries), words, values);
}

// 3.6 to 3.10.
std::vector<ObjectReader::Entry> ObjectReader::lookup_entries(uint64_t keys,
                                                              uint64_t values) const {
  LookupKeys head;
  if (!keys || !memory_.read_value(keys, head) || head.entries <= 0 ||
      head.entries > kMaxDictEntries || head.slots <= 0 || head.slots > INT32_MAX)
    return {};
  return entries_at(keys + sizeof(head) + index_bytes(head.slots),
                    static_cast<std::size_t>(head.entries), 3, values);
}

// 2.7: a table of slots, free ones have no value.
std::vector<ObjectReader::Entry> ObjectReader::slot_entries(uint64_t object) const {
  uint64_t table[2];  // mask, address
  if (!memory_.read_value(object + kDictMask, table) || table[0] >= 4 * kMaxDictEntries) return {};
  return entries_at(table[1], table[0] + 1, 3, 0);
}

std::vector<ObjectReader::Entry> ObjectReader::entries_at(uint64_t first, std::size_t count,
                                                          std::size_t words,
                                                          uint64_t values) const {
  std::vector<uint64_t> table(count * words), separate(values ? count : 0);
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
  if (!has_type_flag(object, kFlagDict)) return {};
  if (config_.version < 0x300) return slot_entries(object);
  if (!memory_.read_value(object + kDictKeys + head_growth(), tables)) return {};
  if (config_.version < 0x30b) return lookup_entries(tables[0], tables[1]);
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
  if (runtime_.attributes == AttributeStorage::kDict) {
    int64_t offset = 0;
    if (!memory_.read_value(object + kObjectType + head_growth(), type) ||
        !memory_.read_value(type + kTypeDictOffset, offset) || offset <= 0 ||
        !memory_.read_value(object + static_cast<uint64_t>(offset), dict))
      return 0;
    return dict_value(dict, name);
  }
  const uint64_t managed_dict = head_growth() ? kFreeThreadedManagedDict : kManagedDict;
  if (!has_type_flag(object, kFlagManagedDict) ||
      !memory_.read_value(object + kObjectType + head_growth(), type) ||
      !memory_.read_value(type + runtime_.type_cached_keys, keys) ||
      !memory_.read_value(object - managed_dict, dict))
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
      if (!memory_.read_value(type + kTypeBasicSize + head_growth(), basic_size)) return 0;
      values = valid_values(object + basic_size);
      break;
    case AttributeStorage::kDict:
      break;
  }
  if (dict) return dict_value(dict, name);
  return values ? find(table_entries(keys, values), name) : 0;
}

}  // namespace pyprof::python
