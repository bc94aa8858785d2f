// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "userspace/elf/byte_reader.h"

// How the parser's results are written as bytes and read again. The reader of them trusts nothing.
namespace pyprof::reader {

inline constexpr std::size_t kMaxTextBytes = 4'096;

class Writer {
 public:
  template <typename T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto* from = reinterpret_cast<const uint8_t*>(&value);
    bytes_.insert(bytes_.end(), from, from + sizeof(T));
  }
  template <typename Range>
  void put_all(const Range& values) {
    put(static_cast<uint32_t>(values.size()));
    const auto* from = reinterpret_cast<const uint8_t*>(values.data());
    bytes_.insert(bytes_.end(), from, from + values.size() * sizeof(values[0]));
  }
  void put_text(std::string_view text) { put_all(text.substr(0, kMaxTextBytes)); }
  template <typename T>
  void put_optional(const std::optional<T>& value) {
    put(static_cast<uint8_t>(value.has_value()));
    if (value) put(*value);
  }
  std::vector<uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
};

// At most `limit` values of any bit pattern.
template <typename T>
std::vector<T> read_all(elf::ByteReader& reader, std::size_t limit) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto count = reader.read<uint32_t>();
  if (count > limit) reader.fail();
  const auto bytes = reader.take(uint64_t{count} * sizeof(T));
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

inline std::string read_text(elf::ByteReader& reader) {
  const auto count = reader.read<uint32_t>();
  if (count > kMaxTextBytes) reader.fail();
  const auto bytes = reader.take(count);
  return {bytes.begin(), bytes.end()};
}

// Of a type of which any bit pattern is a value.
template <typename T>
std::optional<T> read_optional(elf::ByteReader& reader) {
  if (reader.read<uint8_t>() == 0) return std::nullopt;
  return reader.read<T>();
}

}  // namespace pyprof::reader
