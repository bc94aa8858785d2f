// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/value.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <regex>
#include <string_view>

#include "userspace/base/log.h"
#include "userspace/config/config.h"

namespace pyprof::config {
namespace {

constexpr std::size_t kMaxUrlBytes = 4'096;
constexpr std::size_t kShownBytes = 40;

// Digits only: no sign, no leading "0x", no blanks, so that what is meant is what is read.
std::optional<uint64_t> parse_digits(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

uint64_t take_unit(std::string_view& text) {
  const std::pair<std::string_view, uint64_t> units[] = {
      {"KiB", kKiB}, {"MiB", kMiB}, {"GiB", kGiB}};
  for (const auto& [unit, factor] : units) {
    if (!text.ends_with(unit)) continue;
    text.remove_suffix(unit.size());
    while (text.ends_with(' '))
      text.remove_suffix(1);
    return factor;
  }
  return 1;
}

bool within(uint64_t value, Range range) {
  return value >= range.low && value <= range.high;
}

}  // namespace

std::string shown(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (!node.IsScalar()) return "nothing";
  const std::string& text = node.Scalar();
  const bool cut = text.size() > kShownBytes;
  return "\"" + log::sanitise(text.substr(0, kShownBytes)) + (cut ? "...\"" : "\"");
}

Result<uint64_t> read_integer(const YAML::Node& node, Range range) {
  const auto value = node.IsScalar() ? parse_digits(node.Scalar()) : std::nullopt;
  if (value && within(*value, range)) return *value;
  return Error{fmt::format("expected a whole number from {} to {}, got {}", range.low, range.high,
                           shown(node))};
}

Result<uint64_t> read_bytes(const YAML::Node& node, Range range) {
  if (node.IsScalar()) {
    std::string_view text = node.Scalar();
    const uint64_t factor = take_unit(text);
    const auto value = parse_digits(text);
    if (value && *value <= range.high / factor && within(*value * factor, range)) {
      return *value * factor;
    }
  }
  return Error{fmt::format("expected bytes from {} KiB to {} MiB (such as 4MiB), got {}",
                           range.low / kKiB, range.high / kMiB, shown(node))};
}

Result<bool> read_bool(const YAML::Node& node) {
  return read_choice<bool>(node, {{"true", true}, {"false", false}});
}

Result<std::string> read_path(const YAML::Node& node, std::size_t max_bytes) {
  if (node.IsScalar()) {
    const std::string& text = node.Scalar();
    if (text.starts_with('/') && text.size() <= max_bytes && log::sanitise(text) == text) {
      return text;
    }
  }
  return Error{
      fmt::format("expected an absolute path of at most {} bytes, got {}", max_bytes, shown(node))};
}

Result<std::string> read_urls(const YAML::Node& node) {
  static const std::regex urls(R"((https?://[!-~]+( https?://[!-~]+)*)?)");
  if (node.IsScalar() && node.Scalar().size() <= kMaxUrlBytes &&
      std::regex_match(node.Scalar(), urls)) {
    return node.Scalar();
  }
  return Error{"expected https://SERVER, or several separated by single spaces, got " +
               shown(node)};
}

}  // namespace pyprof::config
