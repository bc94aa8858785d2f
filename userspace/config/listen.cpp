// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

#include "userspace/config/config.h"

namespace pyprof::config {
namespace {

bool is_ipv4(const std::string& host, in_addr& address) {
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& host, in6_addr& address) {
  return ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool is_numeric(const std::string& host, bool bracketed) {
  in_addr v4{};
  in6_addr v6{};
  return bracketed ? is_ipv6(host, v6) : is_ipv4(host, v4);
}

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace

Result<ListenAddress> parse_listen(std::string_view text) {
  const Error wrong{
      fmt::format("expected ADDRESS:PORT such as 127.0.0.1:9917 or [::1]:9917, got \"{}\"",
                  log::sanitise(text.substr(0, 80)))};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto port = parse_port(text.substr(colon + 1));
  ListenAddress address{host == "localhost" ? "127.0.0.1" : std::string(host), port.value_or(0)};
  if (!port || !is_numeric(address.host, bracketed)) return wrong;
  return address;
}

bool is_loopback(const ListenAddress& address) {
  in_addr v4{};
  if (is_ipv4(address.host, v4)) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return is_ipv6(address.host, v6) && IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<void> check_listen(const ListenAddress& address, bool allow_remote) {
  if (allow_remote || is_loopback(address)) return {};
  return Error{fmt::format(
      "{} can be reached from other hosts and has no authentication; use 127.0.0.1:{}, or set "
      "daemon.allow_remote_without_auth: true",
      to_string(address), address.port)};
}

std::string to_string(const ListenAddress& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + address.host + "]" : address.host;
  return fmt::format("{}:{}", host, address.port);
}

}  // namespace pyprof::config
