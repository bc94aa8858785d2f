// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

// The Model Context Protocol as far as a server of tools needs it: JSON-RPC 2.0, a message per line
// (modelcontextprotocol.io, revisions 2024-11-05 to 2025-06-18).
namespace pyprof::server {

struct McpParameter {
  std::string name;
  std::string help;
  bool number = false;  // else text
  bool required = false;
};

struct McpTool {
  std::string name;
  std::string help;
  std::vector<McpParameter> parameters;
  // What the caller gave, as text; the answer as text. An error is told to the model, not an end.
  std::function<Result<std::string>(const std::map<std::string, std::string>&)> call;
};

// One thread.
class Mcp {
 public:
  static constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20;

  Mcp(std::string version, std::vector<McpTool> tools)
      : version_(std::move(version)), tools_(std::move(tools)) {}

  // The answer to one line, without its newline; nothing to a notification. Any bytes will do.
  [[nodiscard]] std::optional<std::string> answer(std::string_view line) const;

 private:
  std::string version_;  // of this program
  std::vector<McpTool> tools_;
};

}  // namespace pyprof::server
