// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "userspace/base/result.h"

// Typed reading of single YAML values. Private to config/: the only place that sees yaml-cpp.
// The Error of each says what was expected and what was found; the caller adds file, line and key.
namespace pyprof::config {

struct Range {
  uint64_t low;
  uint64_t high;
};

// `node` as the message shows it: in quotes, escaped, at most 40 bytes.
[[nodiscard]] std::string shown(const YAML::Node& node);

[[nodiscard]] Result<uint64_t> read_integer(const YAML::Node& node, Range range);

// A whole number of bytes, or one with the unit KiB, MiB or GiB.
[[nodiscard]] Result<uint64_t> read_bytes(const YAML::Node& node, Range range);

[[nodiscard]] Result<bool> read_bool(const YAML::Node& node);

// An absolute path of at most `max_bytes` bytes without control characters.
[[nodiscard]] Result<std::string> read_path(const YAML::Node& node, std::size_t max_bytes);

// Addresses of http or https servers, separated by single spaces, at most 4096 bytes; "" = none.
[[nodiscard]] Result<std::string> read_urls(const YAML::Node& node);

// The value of the matching word.
template <typename T>
[[nodiscard]] Result<T> read_choice(const YAML::Node& node,
                                    const std::vector<std::pair<std::string, T>>& choices) {
  std::string expected;
  for (const auto& [word, value] : choices) {
    if (node.IsScalar() && node.Scalar() == word) return value;
    expected += (expected.empty() ? "" : ", ") + word;
  }
  return Error{"expected one of " + expected + ", got " + shown(node)};
}

}  // namespace pyprof::config
