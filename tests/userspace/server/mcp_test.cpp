// SPDX-License-Identifier: Apache-2.0
#include "userspace/server/mcp.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace pyprof::server {
namespace {

using Json = nlohmann::json;

class McpTest : public ::testing::Test {
 protected:
  McpTest()
      : mcp_("1.0", {{"shout",
                      "Says it louder",
                      {{"text", "What", false, true}, {"times", "How often", true, false}},
                      [](const auto& given) -> Result<std::string> {
                        if (given.at("text").empty()) return Error{"nothing to say"};
                        return given.at("text") +
                               (given.contains("times") ? given.at("times") : "!");
                      }}}) {}

  [[nodiscard]] Json ask(const Json& message) const { return ask(message.dump()); }
  [[nodiscard]] Json ask(const std::string& line) const {
    const auto answer = mcp_.answer(line);
    if (!answer) return "nothing";
    EXPECT_EQ(answer->find('\n'), std::string::npos);
    return Json::parse(*answer);
  }
  [[nodiscard]] Json call(const Json& arguments) const {
    return ask(Json{{"jsonrpc", "2.0"},
                    {"id", "a"},
                    {"method", "tools/call"},
                    {"params", {{"name", "shout"}, {"arguments", arguments}}}});
  }

  const Mcp mcp_;
};

TEST_F(McpTest, agrees_on_a_revision) {
  const auto revision = [this](const std::string& asked) {
    return ask(Json{{"jsonrpc", "2.0"},
                    {"id", 1},
                    {"method", "initialize"},
                    {"params", {{"protocolVersion", asked}}}})["result"]["protocolVersion"];
  };
  EXPECT_EQ(revision("2024-11-05"), "2024-11-05");
  EXPECT_EQ(revision("2099-01-01"), "2025-06-18");
}

TEST_F(McpTest, lists_its_tools_with_their_parameters) {
  const Json tools =
      ask(Json{{"jsonrpc", "2.0"}, {"id", 2}, {"method", "tools/list"}})["result"]["tools"];
  ASSERT_EQ(tools.size(), 1U);
  EXPECT_EQ(tools[0]["name"], "shout");
  EXPECT_EQ(tools[0]["inputSchema"]["properties"]["times"]["type"], "integer");
  EXPECT_EQ(tools[0]["inputSchema"]["required"], Json{"text"});
}

TEST_F(McpTest, calls_a_tool) {
  const Json answer = call({{"text", "hey"}, {"times", 3}});
  EXPECT_EQ(answer["id"], "a");
  EXPECT_EQ(answer["result"]["isError"], false);
  EXPECT_EQ(answer["result"]["content"][0]["text"], "hey3");
}

TEST_F(McpTest, a_tools_error_is_for_the_model) {
  const Json answer = call({{"text", ""}});
  EXPECT_EQ(answer["result"]["isError"], true);
  EXPECT_EQ(answer["result"]["content"][0]["text"], "nothing to say");
}

TEST_F(McpTest, wrong_arguments_are_named) {
  EXPECT_EQ(call(Json::object())["error"]["message"], "the argument text is missing");
  EXPECT_EQ(call({{"text", 5}})["error"]["message"], "the argument text is not a string");
  EXPECT_EQ(call({{"text", "a"}, {"times", -1}})["error"]["message"],
            "the argument times is not a whole number");
}

TEST_F(McpTest, notifications_are_not_answered) {
  EXPECT_EQ(ask(Json{{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}}), "nothing");
  EXPECT_EQ(ask(Json{{"jsonrpc", "2.0"}, {"id", 9}, {"result", Json::object()}}), "nothing");
}

TEST_F(McpTest, any_bytes_are_answered) {
  EXPECT_EQ(ask(std::string("{"))["error"]["code"], -32700);
  EXPECT_EQ(ask(std::string("\xff\xfe\x00", 3))["error"]["code"], -32700);
  EXPECT_EQ(ask(std::string("[]"))["error"]["code"], -32600);
  EXPECT_EQ(ask(std::string("{\"jsonrpc\":\"1.0\"}"))["error"]["code"], -32600);
  EXPECT_EQ(ask(Json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", "no/such"}})["error"]["code"],
            -32601);
  EXPECT_EQ(ask(Json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", "tools/call"}})["error"]["code"],
            -32602);
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_EQ(ask(deep)["error"]["code"], -32600);
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":1,"method":"ping","params":)" + deep + "}")["id"], 1);
}

}  // namespace
}  // namespace pyprof::server
