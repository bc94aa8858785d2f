// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

namespace pyprof::config {
namespace {

std::string error_of(const std::string& text) {
  const auto config = parse(text, "c.yaml");
  return config.ok() ? "no error" : config.error().message;
}

// A directory that goes away with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = testing::TempDir() + "config_test_XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

TEST(ConfigTest, shipped_file_is_exactly_the_defaults) {
  const auto config = load_file(SHIPPED_CONFIG);
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(*config, Config{});
}

TEST(ConfigTest, empty_text_and_empty_sections_are_the_defaults) {
  for (const char* text : {"", "# nothing\n", "---\n", "sampling:\n", "limits: {}\n"}) {
    const auto config = parse(text, "c.yaml");
    ASSERT_TRUE(config.ok()) << text << config.error().message;
    EXPECT_EQ(*config, Config{}) << text;
  }
}

TEST(ConfigTest, every_kind_of_value_is_read) {
  const auto config = parse(
      "sampling: {rate_hz: 99, event: cpu-clock}\n"
      "daemon:\n"
      "  listen: '[::1]:0'\n"
      "  window_seconds: 60\n"
      "  control_socket: /tmp/a b.sock\n"
      "limits:\n"
      "  ring_bytes: 8 MiB\n"
      "  stack_cache_bytes: 33554432\n"
      "  codes: 1000\n"
      "log: {level: debug}\n",
      "c.yaml");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->sampling.rate_hz, 99u);
  EXPECT_EQ(config->sampling.event, Event::kCpuClock);
  EXPECT_EQ(config->daemon.listen, (ListenAddress{"::1", 0}));
  EXPECT_EQ(config->daemon.window_seconds, 60u);
  EXPECT_EQ(config->daemon.control_socket, "/tmp/a b.sock");
  EXPECT_EQ(config->limits.ring_bytes, 8 * kMiB);
  EXPECT_EQ(config->limits.stack_cache_bytes, 32 * kMiB);
  EXPECT_EQ(config->limits.codes, 1000u);
  EXPECT_EQ(config->log.level, log::Level::kDebug);
  EXPECT_EQ(config->metrics, Metrics{});
}

TEST(ConfigTest, errors_name_line_key_and_what_is_expected) {
  EXPECT_EQ(error_of("sampling:\n  rate_hz: fast\n"),
            "c.yaml:2: sampling.rate_hz: expected a whole number from 1 to 10000, got \"fast\"");
  EXPECT_EQ(error_of("sampling:\n\n  rate_hz: 0\n"),
            "c.yaml:3: sampling.rate_hz: expected a whole number from 1 to 10000, got \"0\"");
  EXPECT_EQ(error_of("# one\nsampling:\n  rate: 9\n"),
            "c.yaml:3: sampling.rate: unknown key, expected one of rate_hz, event");
  EXPECT_EQ(
      error_of("sampler: 1\n"),
      "c.yaml:1: sampler: unknown key, expected one of sampling, daemon, limits, symbols, metrics, "
      "log");
  EXPECT_EQ(error_of("sampling:\n  event: instructions\n"),
            "c.yaml:2: sampling.event: expected one of auto, cpu-clock, cycles, got "
            "\"instructions\"");
  EXPECT_EQ(error_of("limits:\n  ring_bytes: 5MiB\n"),
            "c.yaml:2: limits.ring_bytes: expected a power of two (such as 4MiB), got \"5MiB\"");
  EXPECT_EQ(error_of("daemon:\n  allow_remote_without_auth: yes\n"),
            "c.yaml:2: daemon.allow_remote_without_auth: expected one of true, false, got \"yes\"");
}

TEST(ConfigTest, duplicate_keys_are_errors_at_the_second_one) {
  EXPECT_EQ(error_of("sampling:\n  rate_hz: 19\n  rate_hz: 99\n"),
            "c.yaml:3: sampling.rate_hz: given twice, remove one");
  EXPECT_EQ(error_of("sampling:\n  rate_hz: 19\nlog:\n  level: info\nsampling:\n  rate_hz: 9\n"),
            "c.yaml:5: sampling: given twice, remove one");
}

TEST(ConfigTest, second_document_is_an_error_not_ignored) {
  EXPECT_EQ(error_of("log:\n  level: info\n---\nlog: {level: debug}\n"),
            "c.yaml:3: a second YAML document, expected only one");
  EXPECT_EQ(error_of("log: {level: info}\n...\nx: 1\n"),
            "c.yaml:2: a second YAML document, expected only one");
  EXPECT_EQ(error_of("# comment\n\n--- \nlog: {level: info}\n...\n"), "no error");
  EXPECT_EQ(error_of("---\r\nlog:\r\n  level: info\r\n"), "no error");
}

TEST(ConfigTest, wrong_types_are_errors) {
  EXPECT_NE(error_of("- a\n- b\n").find("c.yaml:1: the file: expected \"key: value\" lines"),
            std::string::npos);
  EXPECT_NE(error_of("sampling: 19\n").find("c.yaml:1: sampling: expected \"key: value\""),
            std::string::npos);
  EXPECT_NE(error_of("sampling:\n  rate_hz: [1]\n").find("got a list"), std::string::npos);
  EXPECT_NE(error_of("sampling:\n  rate_hz:\n").find("got nothing"), std::string::npos);
  EXPECT_NE(error_of("? [a, b]\n: 1\n").find("expected a word as key"), std::string::npos);
  EXPECT_NE(error_of("daemon:\n  state_dir: var\n").find("expected an absolute path"),
            std::string::npos);
}

TEST(ConfigTest, numbers_are_plain_digits_in_range) {
  for (const char* value :
       {"-1", "+5", "0x10", "1e3", "19.0", " ", "18446744073709551616", "10001", "\"1 9\""}) {
    EXPECT_NE(error_of("sampling:\n  rate_hz: " + std::string(value) + "\n"), "no error") << value;
  }
  for (const char* value :
       {"0", "1KiB", "17179869184GiB", "99999999999999999999MiB", "4mb", "MiB", "-4MiB"}) {
    EXPECT_NE(error_of("limits:\n  ring_bytes: " + std::string(value) + "\n"), "no error") << value;
  }
}

TEST(ConfigTest, addresses_of_servers_are_checked) {
  for (const char* good :
       {"''", "http://127.0.0.1:8002", "https://a.example/x https://b.example"}) {
    EXPECT_EQ(error_of("symbols:\n  debuginfod_urls: " + std::string(good) + "\n"), "no error");
  }
  for (const char* bad : {"ftp://a.example", "a.example", "https://", "'https://a  https://b'",
                          "'https://a '", "[https://a]", "\"https://a\\nhttps://b\""}) {
    EXPECT_NE(error_of("symbols:\n  debuginfod_urls: " + std::string(bad) + "\n"), "no error")
        << bad;
  }
}

TEST(ConfigTest, other_hosts_are_refused_unless_allowed) {
  const std::string refused = error_of("daemon:\n  listen: 0.0.0.0:9917\n");
  EXPECT_TRUE(refused.starts_with("c.yaml:2: daemon.listen: 0.0.0.0:9917 can be reached"))
      << refused;
  EXPECT_NE(refused.find("allow_remote_without_auth"), std::string::npos);
  EXPECT_EQ(error_of("daemon:\n  allow_remote_without_auth: true\n  listen: 0.0.0.0:9917\n"),
            "no error");
  EXPECT_EQ(error_of("daemon:\n  listen: 127.8.9.10:1\n"), "no error");
  EXPECT_EQ(error_of("daemon:\n  listen: localhost:9917\n"), "no error");
  EXPECT_NE(error_of("daemon:\n  listen: '[::]:9917'\n"), "no error");
  for (const char* bad : {"9917", ":9917", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:80",
                          "host.example:80", "127.0.0.1:-1", "127.1:80", "[127.0.0.1]:80"}) {
    EXPECT_NE(error_of("daemon:\n  listen: '" + std::string(bad) + "'\n").find("ADDRESS:PORT"),
              std::string::npos)
        << bad;
  }
}

TEST(ConfigTest, hostile_yaml_is_refused_quickly) {
  const auto start = std::chrono::steady_clock::now();
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'z'; ++c) {
    const std::string last(1, static_cast<char>(c - 1));
    bomb += std::string(1, c) + ": &" + c + " [*" + last + ",*" + last + ",*" + last + ",*" + last +
            "]\n";
  }
  const std::string nested_blocks = [] {
    std::string text;
    for (int depth = 0; depth < 1400; ++depth)
      text += std::string(depth, ' ') + "a:\n";
    return text;
  }();
  const std::string cases[] = {
      std::string(1'000'000, '['),
      std::string(1'000'000, '{'),
      "sampling: " + std::string(100'000, '[') + std::string(100'000, ']') + "\n",
      std::string(500'000, '-'),
      [] {
        std::string text;
        for (int i = 0; i < 300'000; ++i)
          text += "- ";
        return text;
      }(),
      bomb,
      nested_blocks,
      "sampling: &s\n  rate_hz: *s\n",
      "sampling: *nowhere\n",
      "sampling: {rate_hz: 19\n",
      "\tsampling: 1\n",
      "a: b: c\n",
      std::string("sampling:\0 1", 12),
      std::string("\xff\xfex\0:\0 \0001\0", 10),
      "!!binary x: 1\n",
      "%YAML 9.9\n---\nx: 1\n",
      std::string(kMiB + 1, '#'),
  };
  for (const auto& text : cases) {
    const auto config = parse(text, "c.yaml");
    ASSERT_FALSE(config.ok()) << text.substr(0, 40);
    EXPECT_TRUE(config.error().message.starts_with("c.yaml:")) << config.error().message;
    EXPECT_LT(config.error().message.size(), 400u);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(ConfigTest, control_characters_of_the_file_do_not_reach_the_message) {
  const std::string message = error_of("\"a\\e[2Jb\\nc\": 1\n");
  EXPECT_NE(message.find("a\\x1b[2Jb\\x0ac: unknown key"), std::string::npos) << message;
}

TEST(ConfigFileTest, given_path_must_exist_and_be_a_regular_small_file) {
  const TemporaryDirectory directory;
  const auto missing = load_file(directory.file("none.yaml"));
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("none.yaml: No such file"), std::string::npos);

  const std::string fifo = directory.file("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const auto waiting = load_file(fifo);
  ASSERT_FALSE(waiting.ok());
  EXPECT_NE(waiting.error().message.find("not a regular file"), std::string::npos);

  std::ofstream(directory.file("big")) << std::string(kMiB + 1, '\n');
  const auto big = load_file(directory.file("big"));
  ASSERT_FALSE(big.ok());
  EXPECT_NE(big.error().message.find("larger than 1 MiB"), std::string::npos);

  std::ofstream(directory.file("good")) << "sampling:\n  rate_hz: 7\n";
  const auto good = load_file(directory.file("good"));
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good->sampling.rate_hz, 7u);
}

TEST(ConfigFileTest, absent_default_file_means_defaults) {
  if (std::filesystem::exists(kDefaultPath)) {
    GTEST_SKIP() << kDefaultPath << " exists on this machine";
  }
  const auto config = load_file(std::nullopt);
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(*config, Config{});
}

TEST(ListenTest, to_string_is_what_parse_reads) {
  for (const char* text : {"127.0.0.1:9917", "[::1]:80", "0.0.0.0:0"}) {
    const auto address = parse_listen(text);
    ASSERT_TRUE(address.ok());
    EXPECT_EQ(to_string(*address), text);
  }
}

}  // namespace
}  // namespace pyprof::config
