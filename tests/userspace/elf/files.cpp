// SPDX-License-Identifier: Apache-2.0
#include "tests/userspace/elf/files.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <system_error>

namespace pyprof::elf::testing {

namespace fs = std::filesystem;

std::string own_path() {
  return fs::read_symlink("/proc/self/exe").string();
}

std::string libc_path() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<void*>(&::getenv), &info) == 0) return {};
  return fs::canonical(info.dli_fname).string();
}

std::string libpython_path() {
  const auto lines = output_lines(
      "python3 -c \"import sysconfig as s; v = s.get_config_var; "
      "print(v('LIBDIR') + '/' + v('INSTSONAME'))\" 2>/dev/null");
  if (!lines.empty() && fs::exists(lines.front()) &&
      lines.front().find(".so") != std::string::npos) {
    return lines.front();
  }
  const auto cached = output_lines("ldconfig -p 2>/dev/null | sed -n 's|.*libpython.* => ||p'");
  return cached.empty() ? "" : cached.front();
}

namespace {

bool is_elf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  char magic[4] = {};
  return file.read(magic, 4) && std::string(magic, 4) == std::string("\x7f") + "ELF";
}

}  // namespace

std::vector<std::string> programs(std::uintmax_t max_bytes) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "" : path);
  std::set<std::string> found;
  for (std::string directory; std::getline(directories, directory, ':');) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
      if (!entry.is_regular_file(error) || entry.is_symlink(error)) continue;
      if (entry.file_size(error) > max_bytes) continue;
      if (is_elf(entry.path())) found.insert(entry.path().string());
    }
  }
  return {found.begin(), found.end()};
}

std::vector<std::string> libraries() {
  std::set<std::string> found;
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (const auto& entry : fs::recursive_directory_iterator("/usr/lib", options, error)) {
    if (entry.is_symlink(error) || !entry.is_regular_file(error)) continue;
    if (entry.path().filename().string().find(".so") == std::string::npos) continue;
    if (is_elf(entry.path())) found.insert(entry.path().string());
  }
  return {found.begin(), found.end()};
}

std::vector<std::string> output_lines(const std::string& command) {
  std::vector<std::string> lines;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
  if (pipe == nullptr) return lines;
  std::string line;
  for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    lines.push_back(line);
    line.clear();
  }
  return lines;
}

std::string quoted(const std::string& path) {
  return "'" + path + "'";
}

std::vector<uint8_t> read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace pyprof::elf::testing
