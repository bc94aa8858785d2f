// SPDX-License-Identifier: Apache-2.0
// Values of processes that lie. What honest ones say is compared in tests/e2e/test_dump.py.
#include "userspace/python/values.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "userspace/python/versions.h"

namespace pyprof::python {
namespace {

// Nothing is there but what was put.
class FakeMemory final : public Memory {
 public:
  bool read(uint64_t address, void* out, std::size_t bytes) const override {
    ++reads;
    for (std::size_t i = 0; i < bytes; ++i) {
      const auto at = bytes_.find(address + i);
      if (at == bytes_.end()) return false;
      static_cast<uint8_t*>(out)[i] = at->second;
    }
    return true;
  }
  void put(uint64_t address, uint64_t value) {
    for (int i = 0; i < 8; ++i)
      bytes_[address + i] = static_cast<uint8_t>(value >> (8 * i));
  }
  void put_text(uint64_t address, const char* text) {
    for (std::size_t i = 0; i < 64; ++i)
      bytes_[address + i] = i < std::strlen(text) ? static_cast<uint8_t>(text[i]) : 0;
  }
  // An object of a built-in type of this name.
  void put_object(uint64_t address, const char* type_name) {
    const uint64_t type = address + 0x10'000;
    put(address + 8, type);
    put(type + 24, type + 0x800);
    put(type + 168, 0);
    put_text(type + 0x800, type_name);
  }
  mutable std::size_t reads = 0;

 private:
  std::map<uint64_t, uint8_t> bytes_;
};

const VersionRow& row() {
  return *find_version(0x30c);
}

std::string text_of(const FakeMemory& memory, uint64_t object, const ValueLimits& limits) {
  return ValueReader(memory, row().config, row().runtime, limits).text(object);
}

TEST(ValueReaderTest, AListOfItselfEndsAtTheLimits) {
  FakeMemory memory;
  memory.put_object(0x1000, "list");
  memory.put(0x1000 + 16, INT64_MAX);
  memory.put(0x1000 + 24, 0x9000);
  for (uint64_t i = 0; i < 64; ++i)
    memory.put(0x9000 + 8 * i, 0x1000);
  EXPECT_EQ(text_of(memory, 0x1000, {120, 2, 2, false}),
            "[[[...], [...], ...], [[...], [...], ...], ...]");
  const std::string most = text_of(memory, 0x1000, {1'000, 64, 8, false});
  EXPECT_LT(most.size(), 10 * ValueReader::kMaxValues);
  EXPECT_LT(memory.reads, 20 * ValueReader::kMaxValues);
}

TEST(ValueReaderTest, SizesThatCannotBeAreNotBelieved) {
  FakeMemory memory;
  for (const char* type : {"list", "tuple", "str", "bytes", "dict", "int", "float", "bool"}) {
    memory.put_object(0x1000, type);
    for (const uint64_t size : {uint64_t{1} << 63, ~uint64_t{0}, uint64_t{1} << 40}) {
      memory.put(0x1000 + 16, size);
      memory.put(0x1000 + 24, 0xdead'0000);
      const std::string text = text_of(memory, 0x1000, {});
      EXPECT_LT(text.size(), 200U) << type << size;
    }
  }
  EXPECT_EQ(text_of(memory, 0, {}), "<unreadable>");
  EXPECT_EQ(text_of(memory, 0x5'0000, {}), "<unreadable>");
}

TEST(ValueReaderTest, NamesOfTypesAreOnlyText) {
  FakeMemory memory;
  memory.put_object(0x1000, "evil\x1b[2J\n\xff");
  const std::string text = text_of(memory, 0x1000, {});
  EXPECT_EQ(text, "<evil\\x1b[2J\\n\\xff object>");
}

TEST(ValueReaderTest, SecretNames) {
  for (const char* name : {"password", "DB_PASSWD", "apiKey", "access_token", "Authorization",
                           "client_secret", "credentials", "cookie", "private_pem"})
    EXPECT_TRUE(is_secret_name(name)) << name;
  for (const char* name : {"host", "count", "self", "path", ""})
    EXPECT_FALSE(is_secret_name(name)) << name;
}

}  // namespace
}  // namespace pyprof::python
