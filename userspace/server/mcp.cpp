// SPDX-License-Identifier: Apache-2.0
#include "userspace/server/mcp.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace pyprof::server {
namespace {

using Json = nlohmann::ordered_json;

// Newest first: it is what a client gets that asks for one we don't know.
constexpr std::array<std::string_view, 3> kRevisions{"2025-06-18", "2025-03-26", "2024-11-05"};

// JSON-RPC 2.0, section 5.1
constexpr int kParseError = -32700;
constexpr int kInvalidRequest = -32600;
constexpr int kMethodNotFound = -32601;
constexpr int kInvalidParams = -32602;

std::string text_of(const Json& message) {
  return message.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string failure(const Json& id, int code, const std::string& message) {
  return text_of(
      {{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", message}}}});
}

std::string success(const Json& id, Json result) {
  return text_of({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
}

std::string text_member(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : "";
}

Json initialized(const Json& params, const std::string& version) {
  const std::string asked = text_member(params, "protocolVersion");
  const bool known = std::find(kRevisions.begin(), kRevisions.end(), asked) != kRevisions.end();
  return {{"protocolVersion", known ? asked : std::string(kRevisions.front())},
          {"capabilities", {{"tools", Json::object()}}},
          {"serverInfo", {{"name", "pyebpf-prof"}, {"version", version}}}};
}

Json schema_of(const McpTool& tool) {
  Json properties = Json::object(), required = Json::array();
  for (const McpParameter& parameter : tool.parameters) {
    properties[parameter.name] = {{"type", parameter.number ? "integer" : "string"},
                                  {"description", parameter.help}};
    if (parameter.required) required.push_back(parameter.name);
  }
  return {{"type", "object"}, {"properties", properties}, {"required", required}};
}

Json listed(const std::vector<McpTool>& tools) {
  Json list = Json::array();
  for (const McpTool& tool : tools) {
    list.push_back(
        {{"name", tool.name}, {"description", tool.help}, {"inputSchema", schema_of(tool)}});
  }
  return {{"tools", list}};
}

// Of the tool's parameters those that were given; an error names the first that is wrong.
Result<std::map<std::string, std::string>> arguments_of(const McpTool& tool, const Json& params) {
  std::map<std::string, std::string> given;
  const auto arguments = params.find("arguments");
  const Json none = Json::object();
  const Json& object = arguments != params.end() && arguments->is_object() ? *arguments : none;
  for (const McpParameter& parameter : tool.parameters) {
    const auto value = object.find(parameter.name);
    if (value == object.end()) {
      if (parameter.required) return Error{"the argument " + parameter.name + " is missing"};
      continue;
    }
    const bool good = parameter.number ? value->is_number_unsigned() : value->is_string();
    if (!good) {
      return Error{"the argument " + parameter.name + " is not a " +
                   (parameter.number ? "whole number" : "string")};
    }
    given[parameter.name] = parameter.number ? value->dump() : value->get<std::string>();
  }
  return given;
}

Json content(const std::string& text, bool failed) {
  return {{"content", Json::array({{{"type", "text"}, {"text", text}}})}, {"isError", failed}};
}

std::string called(const std::vector<McpTool>& tools, const Json& id, const Json& params) {
  const std::string name = text_member(params, "name");
  const auto tool = std::find_if(tools.begin(), tools.end(),
                                 [&](const McpTool& each) { return each.name == name; });
  if (tool == tools.end()) return failure(id, kInvalidParams, "there is no such tool");
  const auto arguments = arguments_of(*tool, params);
  if (!arguments) return failure(id, kInvalidParams, arguments.error().message);
  const auto result = tool->call(*arguments);
  return success(id, result ? content(*result, false) : content(result.error().message, true));
}

}  // namespace

std::optional<std::string> Mcp::answer(std::string_view line) const {
  const Json message = Json::parse(line, nullptr, false);
  if (message.is_discarded()) return failure(nullptr, kParseError, "this is no JSON");
  if (!message.is_object() || text_member(message, "jsonrpc") != "2.0") {
    return failure(nullptr, kInvalidRequest, "this is no JSON-RPC 2.0 request");
  }
  const std::string method = text_member(message, "method");
  const auto id = message.find("id");
  const bool has_id = id != message.end() && (id->is_string() || id->is_number());
  // A notification, or an answer to what we never asked.
  if (!has_id || method.empty()) return std::nullopt;
  const auto params = message.find("params");
  const Json none = Json::object();
  const Json& given = params != message.end() && params->is_object() ? *params : none;
  if (method == "initialize") return success(*id, initialized(given, version_));
  if (method == "ping") return success(*id, Json::object());
  if (method == "tools/list") return success(*id, listed(tools_));
  if (method == "tools/call") return called(tools_, *id, given);
  return failure(*id, kMethodNotFound, "there is no such method");
}

}  // namespace pyprof::server
