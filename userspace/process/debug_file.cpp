// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/debug_file.h"

#include "userspace/process/root_files.h"

namespace pyprof::process {
namespace {

const std::string kDebugRoot = "/usr/lib/debug";

std::vector<std::string> candidate_paths(const std::string& path, const std::string& build_id,
                                         const std::string& debug_link) {
  std::vector<std::string> paths;
  if (build_id.size() > 2) {
    paths.push_back(kDebugRoot + "/.build-id/" + build_id.substr(0, 2) + "/" + build_id.substr(2) +
                    ".debug");
  }
  if (debug_link.empty() || !path.starts_with('/')) return paths;
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  for (const std::string& candidate : {directory + debug_link, directory + ".debug/" + debug_link,
                                       kDebugRoot + directory + debug_link}) {
    if (candidate != path) paths.push_back(candidate);
  }
  return paths;
}

}  // namespace

std::vector<Fd> debug_file_candidates(const Fd& root, const std::string& path,
                                      const std::string& build_id, const std::string& debug_link) {
  std::vector<Fd> found;
  for (const std::string& candidate : candidate_paths(path, build_id, debug_link)) {
    if (Fd fd = open_in(root, candidate); fd.valid()) found.push_back(std::move(fd));
  }
  return found;
}

}  // namespace pyprof::process
