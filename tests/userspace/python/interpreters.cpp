// SPDX-License-Identifier: Apache-2.0
#include "tests/userspace/python/interpreters.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

#include "tests/userspace/python/target.h"

namespace pyprof::testing {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_elf(const std::string& path) {
  char magic[4] = {};
  std::ifstream(path).read(magic, sizeof(magic));
  return std::string_view(magic, sizeof(magic)) == "\177ELF";
}

class Finder {
 public:
  void add_folder(const std::string& root, const std::string& folder) {
    static const std::regex kName("python[23](\\.[0-9]+)?t?");
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(root + folder, error)) {
      if (!std::regex_match(entry.path().filename().string(), kName)) continue;
      const std::string real = fs::canonical(entry.path(), error).string();
      if (error || !fs::is_regular_file(real) || !seen_.insert(real).second) continue;
      if (!is_elf(real)) continue;  // a wrapper script
      const Interpreter interpreter{root, real.substr(root.size())};
      if (!ask_version(interpreter).empty()) found_.push_back(interpreter);
    }
  }

  void add_tree(const std::string& base, int depth) {
    std::error_code error;
    const std::string real = fs::canonical(base, error).string();
    if (error) return;
    if (fs::exists(real + "/usr/bin", error)) return add_folder(real, "/usr/bin");
    if (fs::exists(real + "/bin", error)) return add_folder("", real + "/bin");
    if (depth == 0) return;
    for (const auto& entry : fs::directory_iterator(real, error))
      add_tree(entry.path(), depth - 1);
  }

  std::vector<Interpreter> take() { return std::move(found_); }

 private:
  std::set<std::string> seen_;
  std::vector<Interpreter> found_;
};

}  // namespace

std::vector<Interpreter> find_interpreters() {
  Finder finder;
  if (const std::string prepared = environment("PYEBPF_INTERPRETERS_DIR"); !prepared.empty())
    finder.add_tree(prepared, 2);
  std::string pyenv = environment("PYENV_ROOT");
  if (pyenv.empty()) pyenv = environment("HOME") + "/.pyenv";
  finder.add_tree(pyenv + "/versions", 1);
  std::stringstream path(environment("PATH"));
  for (std::string folder; std::getline(path, folder, ':');)
    finder.add_folder("", folder);
  std::vector<Interpreter> found = finder.take();
  if (found.empty())
    std::cout << "skipped: no interpreter that runs below PYEBPF_INTERPRETERS_DIR, PYENV_ROOT, "
                 "~/.pyenv or PATH\n";
  return found;
}

std::string ask_version(const Interpreter& interpreter) {
  Target target(interpreter,
                "import sys, sysconfig\n"
                "t = sysconfig.get_config_var('Py_GIL_DISABLED')\n"
                "print('%d.%d.%d' % tuple(sys.version_info[:3]) + ('t' if t else ''))\n");
  return target.read_line();
}

int minor_version(const std::string& version) {
  int major = 0, minor = 0;
  return std::sscanf(version.c_str(), "%d.%d", &major, &minor) == 2 ? major << 8 | minor : 0;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace pyprof::testing
