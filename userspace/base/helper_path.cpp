// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/helper_path.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace pyprof {

Result<std::string> find_helper(const std::string& name, const std::string& remedy) {
  std::array<char, 4096> own{};
  const ssize_t length = ::readlink("/proc/self/exe", own.data(), own.size() - 1);
  if (length <= 0) return errno_error("finding the program's own folder", errno);
  std::string folder(own.data(), static_cast<std::size_t>(length));
  folder.resize(folder.rfind('/') + 1);
  const std::string beside = folder + name;
  const std::string installed = folder + "../libexec/pyebpf-prof/" + name;
  for (const std::string& path : {beside, installed}) {
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return Error{
      fmt::format("{} is not installed (neither {} nor {}): {}", name, beside, installed, remedy),
      ExitCode::kNotSupported};
}

}  // namespace pyprof
