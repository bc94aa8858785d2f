// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "tests/userspace/elf/files.h"
#include "userspace/reader/file_tables.h"

namespace pyprof::reader::testing {

// pyebpf-reader lies beside the test program.
inline std::string program() {
  return std::filesystem::path(elf::testing::own_path()).parent_path() / "pyebpf-reader";
}

inline Fd open_file(const std::string& path) {
  return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "reader-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline FileTables parsed(const std::string& path) {
  return parse_tables(open_file(path), path, 8'000'000);
}

}  // namespace pyprof::reader::testing
