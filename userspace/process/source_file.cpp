// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/source_file.h"

#include <unistd.h>

#include <array>
#include <climits>
#include <string_view>

#include "userspace/process/root_files.h"

namespace pyprof::process {
namespace {

constexpr off_t kMaxSourceBytes = 8 << 20;
constexpr std::size_t kMaxLineBytes = 1'024;
constexpr std::string_view kBlanks = " \t\r\f";

std::string read_all(const Fd& file, std::size_t bytes) {
  std::string text(bytes, '\0');
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t n = ::read(file.get(), text.data() + done, bytes - done);
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  text.resize(done);
  return text;
}

std::string absolute(const ProcFs& proc, int32_t pid, const std::string& path) {
  if (path.starts_with('/')) return path;
  std::array<char, PATH_MAX> folder{};
  const std::string link = pid == 0 ? "/proc/self/cwd" : proc.path(pid, "cwd");
  const ssize_t n = ::readlink(link.c_str(), folder.data(), folder.size());
  return n <= 0 ? path : std::string(folder.data(), static_cast<std::size_t>(n)) + "/" + path;
}

std::string trimmed(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return "";
  line = line.substr(begin, line.find_last_not_of(kBlanks) + 1 - begin);
  return std::string(line.substr(0, kMaxLineBytes));
}

}  // namespace

std::map<uint32_t, std::string> read_source(const ProcFs& proc, int32_t pid,
                                            const std::string& path,
                                            const std::set<uint32_t>& lines) {
  std::map<uint32_t, std::string> found;
  if (!path.ends_with(".py")) return found;
  const Fd file = open_in(open_root(proc, pid), absolute(proc, pid, path));
  const auto status = regular_file(file);
  if (!status || status->st_size > kMaxSourceBytes) return found;
  const std::string text = read_all(file, static_cast<std::size_t>(status->st_size));
  std::size_t at = 0;
  uint32_t number = 1;
  for (const uint32_t wanted : lines) {
    for (; number < wanted && at != std::string::npos; ++number)
      at = (at = text.find('\n', at)) == std::string::npos ? at : at + 1;
    if (at == std::string::npos || at >= text.size()) break;
    if (wanted == 0) continue;
    std::string line = trimmed(std::string_view(text).substr(at, text.find('\n', at) - at));
    if (!line.empty()) found.emplace(wanted, std::move(line));
  }
  return found;
}

}  // namespace pyprof::process
