// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/guard.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>

#include "userspace/probe/kernel_checks.h"
#include "userspace/probe/kernel_features.h"

namespace pyprof::daemon {
namespace {

constexpr std::size_t kMaxReasonBytes = 200;

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::array<char, kMaxReasonBytes + 1> line{};
  file.getline(line.data(), line.size());
  return line.data();
}

std::string own_status() {
  std::ifstream file("/proc/self/status");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::optional<std::string> kill_switch_reason(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) return std::nullopt;
  const std::string why = S_ISREG(status.st_mode) ? first_line(path) : "";
  return "profiling is switched off by " + path + (why.empty() ? "" : " (" + why + ")");
}

Result<void> check_capabilities() {
  probe::KernelFeatures features;
  features.capabilities = probe::parse_capabilities(own_status());
  for (const probe::Check& check : probe::check_kernel(features)) {
    if (check.name != "capabilities" || check.state != probe::Check::State::kFail) continue;
    return Error{"not allowed to profile (" + check.detail + "): run as root, with sudo",
                 ExitCode::kPermission};
  }
  return {};
}

Result<void> check_host(const std::string& kill_switch_path) {
  if (const auto reason = kill_switch_reason(kill_switch_path)) {
    return Error{*reason + "; remove the file to allow it"};
  }
  const auto kernel = probe::read_kernel_identity();
  if (!kernel) return kernel.error();
  if (const auto reason = probe::refused_reason(*kernel)) {
    return Error{*reason, ExitCode::kNotSupported};
  }
  return check_capabilities();
}

}  // namespace pyprof::daemon
