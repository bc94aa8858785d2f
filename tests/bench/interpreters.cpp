// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/interpreters.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

namespace pyprof::bench {

namespace {

std::string quoted(const std::string& word) {
  std::string result = "'";
  for (const char c : word) {
    if (c == '\'') result += "'\\'";
    result += c;
  }
  return result + "'";
}

std::string output_of(const std::string& command) {
  struct Close {
    void operator()(FILE* file) const { ::pclose(file); }
  };
  const std::unique_ptr<FILE, Close> pipe(::popen(command.c_str(), "re"));
  std::string text;
  char buffer[4096];
  while (pipe) {
    const std::size_t bytes = std::fread(buffer, 1, sizeof(buffer), pipe.get());
    if (bytes == 0) break;
    text.append(buffer, bytes);
  }
  return text;
}

std::vector<std::string> wanted_names() {
  const char* text = std::getenv("PYEBPF_BENCH_INTERPRETERS");
  std::string words = text ? text : "";
  for (char& c : words)
    c = c == ',' ? ' ' : c;
  std::istringstream stream(words);
  return {std::istream_iterator<std::string>(stream), {}};
}

bool is_wanted(const std::string& name, const std::vector<std::string>& wanted) {
  for (const auto& word : wanted) {
    if (name.find(word) != std::string::npos) return true;
  }
  return false;
}

// What a peer was measured with comes first: libpython of its own, no chroot.
int preference(const nlohmann::json& entry) {
  const bool shared = entry.value("kind", "") == "shared", chroot = !entry["chroot"].is_null();
  return chroot ? (shared ? 0 : 1) : (shared ? 3 : 2);
}

Interpreter parse(const nlohmann::json& entry) {
  return {entry.at("name"), entry.at("version"), entry.at("argv")};
}

std::vector<Interpreter> select(const nlohmann::json& entries) {
  const auto wanted = wanted_names();
  std::map<std::string, std::pair<int, Interpreter>> best;  // by series
  for (const auto& entry : entries) {
    const auto interpreter = parse(entry);
    if (!entry.value("supported", false)) continue;
    if (!wanted.empty() && !is_wanted(interpreter.name, wanted)) continue;
    const std::string series = interpreter.version.substr(0, interpreter.version.rfind('.'));
    const int rank = preference(entry);
    auto& slot = best[series];
    if (slot.second.argv.empty() || rank > slot.first) slot = {rank, interpreter};
  }
  std::vector<Interpreter> result;
  for (auto& [series, chosen] : best)
    result.push_back(std::move(chosen.second));
  return result;
}

}  // namespace

Result<std::vector<Interpreter>> choose_interpreters(const Paths& paths) {
  const std::string script = paths.source + "/tests/interpreters.sh";
  const std::string text = output_of(quoted(script) + " " + quoted(paths.build + "/interpreters"));
  std::vector<Interpreter> chosen;
  try {
    chosen = select(nlohmann::json::parse(text));
  } catch (const nlohmann::json::exception& error) {
    return Error{script + " printed no list of interpreters: " + error.what()};
  }
  if (chosen.empty()) {
    return Error{"no supported CPython to measure with: see " + script, ExitCode::kNotSupported};
  }
  return chosen;
}

Result<std::vector<std::string>> python_command(const Interpreter& interpreter,
                                                const std::string& script,
                                                const std::vector<std::string>& arguments) {
  std::ifstream file(script);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return Error{"cannot read the workload " + script};
  // The modules beside it; interpreters in a root of their own have them in /workloads.
  const std::string folder = std::filesystem::path(script).parent_path().string();
  const std::string path = "import sys; sys.path[:0] = ['" + folder + "', '/workloads']\n";
  std::vector<std::string> command = interpreter.argv;
  command.insert(command.end(), {"-c", path + text.str()});
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

}  // namespace pyprof::bench
