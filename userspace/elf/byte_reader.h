// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

// Reading of bytes that nobody vouches for. A read past the end gives 0 and sets failed() for good,
// so that a parser may check once per record.
namespace pyprof::elf {

class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  template <typename T>
  T read() {
    T value{};
    if (const uint8_t* from = advance(sizeof(T))) std::memcpy(&value, from, sizeof(T));
    return value;
  }

  // LEB128 of at most 10 bytes; bits past 64 are dropped.
  uint64_t uleb() { return leb(nullptr); }
  int64_t sleb() {
    unsigned width = 0;
    uint64_t value = leb(&width);
    if (width < 64 && (value >> (width - 1) & 1) != 0) value |= ~uint64_t{0} << width;
    return static_cast<int64_t>(value);
  }

  std::span<const uint8_t> take(uint64_t count) {
    const uint8_t* from = advance(count);
    return from == nullptr ? std::span<const uint8_t>{} : std::span<const uint8_t>{from, count};
  }

  void fail() {
    failed_ = true;
    at_ = bytes_.size();
  }

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool at_end() const { return at_ == bytes_.size(); }
  [[nodiscard]] std::size_t position() const { return at_; }
  [[nodiscard]] std::span<const uint8_t> rest() const { return bytes_.subspan(at_); }

 private:
  const uint8_t* advance(uint64_t count) {
    if (count > bytes_.size() - at_) {
      fail();
      return nullptr;
    }
    const uint8_t* from = bytes_.data() + at_;
    at_ += count;
    return from;
  }

  uint64_t leb(unsigned* width) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      const auto byte = read<uint8_t>();
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (width != nullptr) *width = shift + 7;
      if ((byte & 0x80) == 0) return value;
    }
    fail();
    return 0;
  }

  std::span<const uint8_t> bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

template <typename T>
std::optional<T> load(std::span<const uint8_t> bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// The part of [offset, offset + count) that exists.
inline std::span<const uint8_t> clip(std::span<const uint8_t> bytes, uint64_t offset,
                                     uint64_t count) {
  if (offset >= bytes.size()) return {};
  return bytes.subspan(offset, std::min<uint64_t>(count, bytes.size() - offset));
}

}  // namespace pyprof::elf
