// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/schema.h"

#include <bit>
#include <utility>

#include "userspace/config/value.h"

namespace pyprof::config {
namespace {

constexpr std::size_t kMaxPathBytes = 1024;
constexpr std::size_t kMaxSocketPathBytes = 107;  // sockaddr_un::sun_path with its NUL

// Each of these makes the reader of one member: `section` is a member of Config, `member` one of
// that section.
template <typename S, typename T>
auto integer(S Config::*section, T S::*member, Range range) {
  return [=](const YAML::Node& node, Config& config) -> Result<void> {
    const auto value = read_integer(node, range);
    if (!value) return value.error();
    config.*section.*member = static_cast<T>(*value);
    return {};
  };
}

template <typename S>
auto bytes(S Config::*section, uint64_t S::*member, Range range) {
  return [=](const YAML::Node& node, Config& config) -> Result<void> {
    const auto value = read_bytes(node, range);
    if (!value) return value.error();
    config.*section.*member = *value;
    return {};
  };
}

template <typename S>
auto power_of_two(S Config::*section, uint64_t S::*member, Range range) {
  return [=](const YAML::Node& node, Config& config) -> Result<void> {
    const auto value = read_bytes(node, range);
    if (!value) return value.error();
    if (!std::has_single_bit(*value)) {
      return Error{"expected a power of two (such as 4MiB), got " + shown(node)};
    }
    config.*section.*member = *value;
    return {};
  };
}

template <typename S>
auto path(S Config::*section, std::string S::*member, std::size_t max_bytes) {
  return [=](const YAML::Node& node, Config& config) -> Result<void> {
    auto value = read_path(node, max_bytes);
    if (!value) return value.error();
    config.*section.*member = *std::move(value);
    return {};
  };
}

template <typename S, typename T>
auto choice(S Config::*section, T S::*member, std::vector<std::pair<std::string, T>> choices) {
  return [=](const YAML::Node& node, Config& config) -> Result<void> {
    const auto value = read_choice<T>(node, choices);
    if (!value) return value.error();
    config.*section.*member = *value;
    return {};
  };
}

Result<void> read_listen(const YAML::Node& node, Config& config) {
  if (!node.IsScalar()) return Error{"expected ADDRESS:PORT, got " + shown(node)};
  auto address = parse_listen(node.Scalar());
  if (!address) return address.error();
  config.daemon.listen = *std::move(address);
  return {};
}

Section sampling() {
  return {"sampling",
          {{"rate_hz", integer(&Config::sampling, &Sampling::rate_hz, {1, 10'000})},
           {"event", choice<Sampling, Event>(&Config::sampling, &Sampling::event,
                                             {{"auto", Event::kAuto},
                                              {"cpu-clock", Event::kCpuClock},
                                              {"cycles", Event::kCycles}})}}};
}

Section daemon() {
  return {"daemon",
          {{"listen", read_listen},
           {"allow_remote_without_auth",
            choice<Daemon, bool>(&Config::daemon, &Daemon::allow_remote_without_auth,
                                 {{"true", true}, {"false", false}})},
           {"window_seconds", integer(&Config::daemon, &Daemon::window_seconds, {1, 3'600})},
           {"control_socket", path(&Config::daemon, &Daemon::control_socket, kMaxSocketPathBytes)},
           {"state_dir", path(&Config::daemon, &Daemon::state_dir, kMaxPathBytes)},
           {"kill_switch", path(&Config::daemon, &Daemon::kill_switch, kMaxPathBytes)}}};
}

Section limits() {
  const auto count = [](uint32_t Limits::*member, Range range) {
    return integer(&Config::limits, member, range);
  };
  const Range table{64, 4'194'304};
  const Range cache{kMiB, 64 * kGiB};
  return {
      "limits",
      {{"ring_bytes", power_of_two(&Config::limits, &Limits::ring_bytes, {64 * kKiB, kGiB})},
       {"event_ring_bytes",
        power_of_two(&Config::limits, &Limits::event_ring_bytes, {64 * kKiB, kGiB})},
       {"processes", count(&Limits::processes, table)},
       {"threads", count(&Limits::threads, table)},
       {"interpreters", count(&Limits::interpreters, {16, 65'536})},
       {"mappings", count(&Limits::mappings, {4'096, 4'194'304})},
       {"stacks", count(&Limits::stacks, table)},
       {"codes", count(&Limits::codes, table)},
       {"row_chunks", count(&Limits::row_chunks, {16, 262'144})},
       {"index_chunks", count(&Limits::index_chunks, {16, 65'536})},
       {"stack_cache_bytes", bytes(&Config::limits, &Limits::stack_cache_bytes, cache)},
       {"symbol_cache_bytes", bytes(&Config::limits, &Limits::symbol_cache_bytes, cache)},
       {"table_cache_bytes", bytes(&Config::limits, &Limits::table_cache_bytes, {0, 64 * kGiB})},
       {"resident_bytes",
        bytes(&Config::limits, &Limits::resident_bytes, {32 * kMiB, 64 * kGiB})}}};
}

Result<void> read_debuginfod_urls(const YAML::Node& node, Config& config) {
  auto urls = read_urls(node);
  if (!urls) return urls.error();
  config.symbols.debuginfod_urls = *std::move(urls);
  return {};
}

Section symbols() {
  return {"symbols",
          {{"debuginfod_urls", read_debuginfod_urls},
           {"debuginfod_bytes",
            bytes(&Config::symbols, &Symbols::debuginfod_bytes, {16 * kMiB, 64 * kGiB})}}};
}

Section metrics() {
  return {"metrics",
          {{"containers", integer(&Config::metrics, &Metrics::containers, {1, 5'000})},
           {"groups", integer(&Config::metrics, &Metrics::groups, {1, 5'000})}}};
}

Section logging() {
  using log::Level;
  return {"log",
          {{"level", choice<Logging, Level>(&Config::log, &Logging::level,
                                            {{"debug", Level::kDebug},
                                             {"info", Level::kInfo},
                                             {"warning", Level::kWarning},
                                             {"error", Level::kError}})}}};
}

}  // namespace

const std::vector<Section>& schema() {
  static const std::vector<Section> sections = {sampling(), daemon(),  limits(),
                                                symbols(),  metrics(), logging()};
  return sections;
}

}  // namespace pyprof::config
