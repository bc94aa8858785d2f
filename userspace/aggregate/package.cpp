// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/package.h"

#include <string_view>

#include "userspace/aggregate/clean_text.h"

namespace pyprof::aggregate {
namespace {

// What follows `folder` up to the next '/', without a module's suffix.
std::string_view below(std::string_view path, std::string_view folder) {
  const std::size_t at = path.rfind(folder);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = path.substr(at + folder.size());
  return rest.substr(0, rest.find_first_of("/."));
}

// ".../lib/python3.11/json/decoder.py", also of zip files: ".../python311.zip/json/decoder.py"
bool in_standard_library(std::string_view path) {
  for (const std::string_view folder : {"/lib/python", "/lib64/python"}) {
    const std::size_t at = path.rfind(folder);
    if (at != std::string_view::npos && at + folder.size() < path.size() &&
        (path[at + folder.size()] == '3' || path[at + folder.size()] == '2')) {
      return true;
    }
  }
  return path.find("/python3") != std::string_view::npos &&
         path.find(".zip/") != std::string_view::npos;
}

std::string python_package(std::string_view path) {
  for (const std::string_view folder : {"/site-packages/", "/dist-packages/"}) {
    const std::string_view name = below(path, folder);
    if (!name.empty()) return clean_text(name);
  }
  if (path.starts_with("<frozen ")) return "frozen";
  return in_standard_library(path) ? "stdlib" : "app";
}

}  // namespace

std::string package_text(const model::Profile& profile, const model::Frame& frame) {
  switch (frame.kind) {
    case model::FrameKind::kPython:
      return python_package(frame.file);
    case model::FrameKind::kKernel:
      return "kernel";
    case model::FrameKind::kMarker:
      return "";
    default:
      break;
  }
  if (frame.module == 0 || frame.module > profile.modules.size()) return "unknown";
  return clean_text(base_name(profile.modules[frame.module - 1].path));
}

}  // namespace pyprof::aggregate
