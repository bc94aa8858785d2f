// SPDX-License-Identifier: Apache-2.0
#include "tests/userspace/python/target.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

namespace pyprof::testing {
namespace {

[[noreturn]] void run(const Interpreter& interpreter, const std::string& code, int in, int out) {
  const bool entered =
      interpreter.root.empty() || (chroot(interpreter.root.c_str()) == 0 && chdir("/") == 0);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  std::string path = interpreter.path, option = "-c", text = code;
  char* const arguments[] = {path.data(), option.data(), text.data(), nullptr};
  // the locale is for 3.6, which decodes -c by it
  std::string encoding = "PYTHONIOENCODING=utf-8", locale = "LC_ALL=C.UTF-8";
  char* const environment[] = {encoding.data(), locale.data(), nullptr};
  if (entered) execve(path.c_str(), arguments, environment);
  _exit(127);
}

}  // namespace

Target::Target(const Interpreter& interpreter, const std::string& code) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0) return;
  const Fd child_input(in[0]);
  input_ = Fd(in[1]);
  if (pipe2(out, O_CLOEXEC) != 0) return;
  output_ = Fd(out[0]);
  const Fd child_output(out[1]);
  pid_ = fork();
  if (pid_ == 0) run(interpreter, code, in[0], out[1]);
}

Target::~Target() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string Target::read_line() {
  for (;;) {
    const std::size_t end = pending_.find('\n');
    if (end != std::string::npos) {
      const std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    char buffer[65536];
    const ssize_t count = read(output_.get(), buffer, sizeof(buffer));
    if (count <= 0) return "";
    pending_.append(buffer, static_cast<std::size_t>(count));
  }
}

std::string Target::read_all() {
  char buffer[65536];
  for (ssize_t count; (count = read(output_.get(), buffer, sizeof(buffer))) > 0;)
    pending_.append(buffer, static_cast<std::size_t>(count));
  return std::exchange(pending_, "");
}

void Target::write_line(const std::string& line) {
  const std::string text = line + "\n";
  if (write(input_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    input_ = Fd();
}

std::vector<Target::Mapping> Target::files() const {
  std::ifstream maps("/proc/" + std::to_string(pid_) + "/maps");
  std::map<std::string, uint64_t> first;
  std::vector<Mapping> found;
  std::map<std::string, bool> listed;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::string range, rights, offset, device, inode, path;
    fields >> range >> rights >> offset >> device >> inode >> path;
    if (path.empty() || path[0] != '/') continue;
    first.emplace(path, std::stoull(range, nullptr, 16));
    if (rights[2] == 'x' && !std::exchange(listed[path], true))
      found.push_back({first[path], path});
  }
  return found;
}

}  // namespace pyprof::testing
