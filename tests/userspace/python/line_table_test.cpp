// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/line_table.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <sstream>
#include <string>

#include "tests/userspace/python/interpreters.h"
#include "tests/userspace/python/target.h"

namespace pyprof::python {
namespace {

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

// A line of line_tables.py. Returns how many instructions were compared.
std::size_t compare_code_object(const std::string& output, uint16_t version) {
  std::istringstream fields(output);
  std::string hex, part;
  uint32_t first_line = 0;
  fields >> hex >> first_line;
  const LineTable table(from_hex(hex), first_line, version);
  uint32_t known = first_line;
  std::size_t compared = 0;
  while (fields >> part) {
    int start = 0, end = 0, line = 0;
    const int found = std::sscanf(part.c_str(), "%d:%d:%d", &start, &end, &line);
    if (found == 3) known = static_cast<uint32_t>(line);
    for (int at = start; at < end; at += 2, ++compared)
      EXPECT_EQ(table.line(at), known) << output << " @" << at;
  }
  return compared;
}

TEST(LineTableTest, agrees_with_every_interpreter) {
  const auto interpreters = testing::find_interpreters();
  if (interpreters.empty()) GTEST_SKIP();
  const std::string script = testing::read_file(SCRIPT_DIR "/line_tables.py");
  for (const auto& interpreter : interpreters) {
    const std::string name = testing::ask_version(interpreter);
    testing::Target target(interpreter, script);
    std::size_t objects = 0, instructions = 0;
    for (std::string line; !(line = target.read_line()).empty(); ++objects) {
      instructions +=
          compare_code_object(line, static_cast<uint16_t>(testing::minor_version(name)));
      if (HasFailure()) FAIL() << "with CPython " << name;
    }
    std::printf("%s %s: %zu code objects, %zu instructions\n", interpreter.path.c_str(),
                name.c_str(), objects, instructions);
    EXPECT_GT(objects, 500u) << interpreter.path;
  }
}

// The example of the format's description: 1 def f(a):, 2 x = a, 4 return g(x,, 5 1).
TEST(LineTableTest, decodes_each_kind_of_location) {
  const std::string bytes = from_hex(
      "8000d80809"
      "8041e40b0c"
      "8851d80d0e"
      "f303010c10"
      "f000010510");
  const LineTable table(bytes, 1, 0x30c);
  EXPECT_EQ(table.line(0), 1u);
  EXPECT_EQ(table.line(2), 2u);
  EXPECT_EQ(table.line(6), 4u);
  EXPECT_EQ(table.line(15), 4u);
  EXPECT_EQ(table.line(18), 5u);
  EXPECT_EQ(table.line(20), 4u);
  EXPECT_EQ(table.line(29), 4u);
  EXPECT_EQ(table.code_bytes(), 30u);
}

TEST(LineTableTest, gives_the_line_before_for_code_without_a_line) {
  const std::string bytes = from_hex(
      "f8"
      "d80809"
      "f9"
      "8000");  // none, +1, none (2 units), +0
  const LineTable table(bytes, 7, 0x30d);
  EXPECT_EQ(table.line(0), 7u);
  EXPECT_EQ(table.line(2), 8u);
  EXPECT_EQ(table.line(4), 8u);
  EXPECT_EQ(table.line(6), 8u);
}

TEST(LineTableTest, gives_the_first_line_before_the_first_instruction) {
  EXPECT_EQ(line_of(from_hex("d80809"), 7, -2, 0x30b), 7u);
}

TEST(LineTableTest, is_unknown_past_a_table_that_was_cut) {
  const std::string bytes = from_hex("8000d80809");
  EXPECT_EQ(line_of(bytes, 1, 4, 0x30c), 0u);
  EXPECT_EQ(line_of("", 1, 0, 0x30c), 0u);
}

TEST(LineTableTest, survives_any_bytes) {
  std::mt19937 random(20240229);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random() % 64, '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(random());
    const uint16_t version = static_cast<uint16_t>(0x306 + random() % 9);
    const LineTable table(bytes, random(), version);
    for (int at = -2; at < 600; at += 2) {
      const uint32_t line = table.line(at);
      EXPECT_TRUE(at < 0 || line <= 0x7fffffffu);
    }
  }
}

TEST(LineTableTest, stops_at_a_line_below_zero_or_above_the_limit) {
  // long form with a delta of -5 at line 3
  EXPECT_EQ(line_of(from_hex("800bf00b010101"), 3, 2, 0x30c), 0u);
  EXPECT_EQ(line_of(from_hex("8000"), 0xffffffffu, 0, 0x30c), 0u);
}

}  // namespace
}  // namespace pyprof::python
