// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

// Real processes and files for tests to look at.
namespace pyprof::process {

// A child that runs a program until the test is over.
class LiveProcess {
 public:
  explicit LiveProcess(std::vector<std::string> command) {
    pid_ = ::fork();
    if (pid_ != 0) {
      wait_for_exec(command.front());
      return;
    }
    std::vector<char*> arguments;
    for (auto& word : command)
      arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ~LiveProcess() { end(); }
  LiveProcess(const LiveProcess&) = delete;
  LiveProcess& operator=(const LiveProcess&) = delete;

  [[nodiscard]] int32_t pid() const { return pid_; }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  // Until the child runs the program, also by way of a wrapper script, and has mapped libraries.
  void wait_for_exec(const std::string& program) const {
    for (int i = 0; i < 500; ++i) {
      std::ifstream file("/proc/" + std::to_string(pid_) + "/cmdline");
      std::string word;
      std::getline(file, word, '\0');
      const bool running =
          std::filesystem::path(word).filename() == std::filesystem::path(program).filename();
      if (running && mapped_libraries()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  [[nodiscard]] bool mapped_libraries() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/maps");
    for (std::string line; std::getline(file, line);) {
      if (line.find("libc") != std::string::npos && line.find("r-xp") != std::string::npos) {
        return true;
      }
    }
    return false;
  }

  pid_t pid_ = -1;
};

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "pyprof-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
  }

 private:
  std::filesystem::path path_;
};

// Where PATH finds a program; empty if nowhere.
inline std::filesystem::path find_program(const std::string& name) {
  const char* path = ::getenv("PATH");
  std::string rest = path != nullptr ? path : "";
  while (!rest.empty()) {
    const auto end = rest.find(':');
    const auto candidate = std::filesystem::path(rest.substr(0, end)) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return std::filesystem::canonical(candidate);
    rest = end == std::string::npos ? std::string() : rest.substr(end + 1);
  }
  return {};
}

}  // namespace pyprof::process
