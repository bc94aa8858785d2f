// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

// Compares an output with tests/golden/NAME. UPDATE_GOLDEN=1 in the environment writes the file
// instead; read the difference before it is kept.
namespace pyprof::test {

inline void expect_golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(PYPROF_GOLDEN) + "/" + name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << actual;
    return;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path;
  std::ostringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(expected.str(), actual) << "differs from " << path;
}

}  // namespace pyprof::test
