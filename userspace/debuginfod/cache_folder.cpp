// SPDX-License-Identifier: Apache-2.0
#include "userspace/debuginfod/cache_folder.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

namespace pyprof::debuginfod {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 100'000;

struct Kept {
  fs::path path;
  uint64_t bytes = 0;
  fs::file_time_type written;
};

std::vector<Kept> kept_files() {
  std::vector<Kept> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(".", error);
  for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    if (!entry->is_regular_file(gone) || entry->is_symlink(gone)) continue;
    Kept file{entry->path(), entry->file_size(gone), entry->last_write_time(gone)};
    if (!gone) files.push_back(std::move(file));
    if (files.size() == kMaxFiles) break;
  }
  return files;
}

}  // namespace

Result<void> enter_folder(const std::string& folder, uint32_t owner) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (::chdir(folder.c_str()) != 0) return errno_error("opening " + folder, errno);
  if (::geteuid() == 0) (void)!::chown(".", owner, owner);
  return {};
}

void trim_folder(uint64_t max_bytes) {
  auto files = kept_files();
  std::sort(files.begin(), files.end(),
            [](const Kept& a, const Kept& b) { return a.written > b.written; });
  uint64_t bytes = 0;
  for (const Kept& file : files) {
    bytes += file.bytes;
    std::error_code gone;
    if (bytes > max_bytes) fs::remove(file.path, gone);
  }
}

}  // namespace pyprof::debuginfod
