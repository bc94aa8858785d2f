// SPDX-License-Identifier: Apache-2.0
// The program as its users run it, as far as it gets without BPF.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "userspace/base/result.h"
#include "userspace/model/process_status.h"

namespace pyprof::cli {
namespace {

struct Run {
  std::string output;  // both streams
  ExitCode code;
};

const char* program() {
  return std::getenv("PYEBPF_PROGRAM");
}

Run run(const std::string& arguments) {
  FILE* pipe =
      ::popen((std::string(program()) + " " + arguments + " 2>&1 </dev/null").c_str(), "r");
  Run result;
  std::array<char, 4096> chunk{};
  while (const std::size_t got = ::fread(chunk.data(), 1, chunk.size(), pipe))
    result.output.append(chunk.data(), got);
  const int status = ::pclose(pipe);
  EXPECT_TRUE(WIFEXITED(status)) << arguments;
  result.code = static_cast<ExitCode>(WEXITSTATUS(status));
  return result;
}

class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (program() == nullptr) GTEST_SKIP() << "PYEBPF_PROGRAM is not set: run this by ctest";
  }
};

void expect_one_line(const Run& result, ExitCode code, const std::string& part) {
  EXPECT_EQ(result.code, code) << result.output;
  EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
  EXPECT_NE(result.output.find(part), std::string::npos) << result.output;
}

TEST_F(ProgramTest, answers_bad_input_with_one_line) {
  expect_one_line(run(""), ExitCode::kUsage, "snapshot");
  expect_one_line(run("explode"), ExitCode::kUsage, "explode");
  expect_one_line(run("snapshot -p 1 -f nonsense"), ExitCode::kUsage, "folded");
  expect_one_line(run("snapshot -p 1 -i"), ExitCode::kUsage, "--idle");
  expect_one_line(run("snapshot -p 4194303"), ExitCode::kNoProcess, "4194303");
  expect_one_line(run("snapshot -p 1 -o /no-such-folder/x.svg"), ExitCode::kUsage, "x.svg");
  expect_one_line(run("snapshot -p 1 -c /no-such.yaml"), ExitCode::kUsage, "/no-such.yaml");
  expect_one_line(run("daemon -c /no-such.yaml"), ExitCode::kUsage, "/no-such.yaml");
  expect_one_line(run("check-config /no-such.yaml"), ExitCode::kUsage, "/no-such.yaml");
  expect_one_line(run("doctor -p 4194303"), ExitCode::kNoProcess, "4194303");
}

TEST_F(ProgramTest, refuses_what_needs_python_of_a_process_without) {
  if (::geteuid() != 0) GTEST_SKIP() << "whether a process runs Python is asked only as root";
  const std::string self = std::to_string(::getpid());
  for (const char* flag : {"--python-only", "-g"})
    expect_one_line(run("snapshot --no-daemon -p " + self + " " + flag), ExitCode::kNotSupported,
                    self);
}

TEST_F(ProgramTest, checks_the_configuration_that_is_shipped) {
  const char* source = std::getenv("PYEBPF_SOURCE");
  ASSERT_NE(source, nullptr);
  const auto result = run("check-config " + std::string(source) + "/config/pyebpf-prof.yaml");
  expect_one_line(result, ExitCode::kOk, "ok");
}

TEST_F(ProgramTest, lists_processes_as_json) {
  FILE* pipe = ::popen((std::string(program()) + " ps -j 2>/dev/null").c_str(), "r");
  std::string text;
  std::array<char, 4096> chunk{};
  while (const std::size_t got = ::fread(chunk.data(), 1, chunk.size(), pipe))
    text.append(chunk.data(), got);
  EXPECT_EQ(::pclose(pipe), 0);
  const auto rows = nlohmann::json::parse(text, nullptr, false);
  ASSERT_TRUE(rows.is_array()) << text;
  for (const auto& row : rows)
    EXPECT_TRUE(row.contains("pid") && row.contains("status")) << row;
}

TEST_F(ProgramTest, doctor_says_something_of_each_part) {
  const auto result = run("doctor");
  for (const char* part : {"kernel:", "BTF:", "capabilities:", "cgroups:", "daemon:"})
    EXPECT_NE(result.output.find(part), std::string::npos) << result.output;
  const bool fails = result.output.find("fail ") != std::string::npos;
  EXPECT_EQ(fails, result.code != ExitCode::kOk) << result.output;
}

// Every long flag that the verbs take is in the manual page, and the other way round.
TEST_F(ProgramTest, manual_page_has_the_flags) {
  const char* source = std::getenv("PYEBPF_SOURCE");
  ASSERT_NE(source, nullptr);
  std::ifstream file(std::string(source) + "/packaging/man/pyebpf-prof.1");
  std::stringstream buffer;
  buffer << file.rdbuf();
  const std::string page = std::regex_replace(buffer.str(), std::regex(R"(\\-)"), "-");
  std::string help = run("--help").output;
  for (const char* verb : {"snapshot", "record", "daemon", "convert", "diff", "ps", "dump", "top",
                           "probes", "doctor", "check-config"})
    help += run(std::string(verb) + " --help").output;
  const std::regex flag("--[a-z][a-z-]+");
  for (std::sregex_iterator at(help.begin(), help.end(), flag), end; at != end; ++at)
    EXPECT_NE(page.find(at->str()), std::string::npos) << at->str() << " is not in the manual page";
  for (std::sregex_iterator at(page.begin(), page.end(), flag), end; at != end; ++at)
    EXPECT_NE(help.find(at->str()), std::string::npos) << at->str() << " is no flag";
}

TEST_F(ProgramTest, manual_page_lists_every_reason_of_a_status) {
  const char* source = std::getenv("PYEBPF_SOURCE");
  ASSERT_NE(source, nullptr);
  std::ifstream file(std::string(source) + "/packaging/man/pyebpf-prof.1");
  std::stringstream page;
  page << file.rdbuf();
  for (std::size_t i = 1; i < model::kUnsupportedReasons; ++i) {
    const std::string label(to_label(static_cast<model::Unsupported>(i)));
    EXPECT_NE(page.str().find(label), std::string::npos) << label;
  }
}

}  // namespace
}  // namespace pyprof::cli
