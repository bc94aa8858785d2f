// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/debug_file.h"

#include <fcntl.h>

#include <optional>

#include "userspace/elf/debug_files.h"
#include "userspace/process/root_files.h"

namespace pyprof::process {
namespace {

const std::string kDebugRoot = "/usr/lib/debug";

bool belongs(const Fd& candidate, const std::string& build_id,
             const std::optional<elf::DebugLink>& link) {
  if (!candidate.valid()) return false;
  const auto debug = elf::ElfFile::open(Fd(::fcntl(candidate.get(), F_DUPFD_CLOEXEC, 0)));
  if (!debug) return false;
  // A link to the very file would be no separate one.
  if (debug->section(".symtab") == nullptr && !elf::has_debug_info(*debug)) return false;
  const std::string found = debug->build_id();
  if (!build_id.empty() && !found.empty()) return found == build_id;
  return link && elf::debug_crc(candidate) == link->crc;
}

}  // namespace

Fd find_debug_file(const Fd& root, const std::string& path, const elf::ElfFile& file) {
  const std::string build_id = file.build_id();
  if (build_id.size() > 2) {
    Fd found = open_in(root, kDebugRoot + "/.build-id/" + build_id.substr(0, 2) + "/" +
                                 build_id.substr(2) + ".debug");
    if (belongs(found, build_id, std::nullopt)) return found;
  }
  const auto link = elf::debug_link(file);
  if (!link || !path.starts_with('/')) return Fd();
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  for (const std::string& candidate : {directory + link->name, directory + ".debug/" + link->name,
                                       kDebugRoot + directory + link->name}) {
    if (candidate == path) continue;
    Fd found = open_in(root, candidate);
    if (belongs(found, build_id, link)) return found;
  }
  return Fd();
}

}  // namespace pyprof::process
