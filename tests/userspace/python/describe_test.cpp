// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/describe.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "tests/userspace/python/interpreters.h"
#include "tests/userspace/python/target.h"

// Files that claim to be CPython and are not, or not all of it.
namespace pyprof::python {
namespace {

using model::Unsupported;

std::optional<InterpreterFile> inspect_bytes(const std::string& bytes, std::string_view path) {
  return inspect_mapped(elf::ElfFile::from_bytes({bytes.begin(), bytes.end()}), path);
}

// The file with the runtime of an interpreter that states its offsets; "" = this machine has none.
std::string file_with_debug_offsets() {
  for (const auto& interpreter : testing::find_interpreters()) {
    const std::string name = testing::ask_version(interpreter);
    if (testing::minor_version(name) < 0x30d || name.ends_with("t")) continue;
    testing::Target target(interpreter,
                           "import sys; print('up'); sys.stdout.flush(); sys.stdin.readline()");
    if (target.read_line() != "up") continue;
    for (const auto& mapping : target.files()) {
      const auto file = elf::ElfFile::open_path(mapping.path);
      const auto found = inspect_mapped(file, mapping.path);
      if (found && found->supported()) return mapping.path;
    }
  }
  return "";
}

TEST(InspectMappedTest, says_that_a_file_of_that_name_is_damaged) {
  for (const char* path : {"/usr/lib/libpython3.12.so.1.0", "/opt/python2.7", "/x/python3.14t"}) {
    for (const std::string& bytes : {std::string(), std::string(4096, 'x'),
                                     std::string("\x7f"
                                                 "ELF\2\1\1",
                                                 7)}) {
      const auto found = inspect_bytes(bytes, path);
      ASSERT_TRUE(found.has_value()) << path;
      EXPECT_FALSE(found->supported());
      EXPECT_EQ(found->reason, Unsupported::kUnreadableFile);
      EXPECT_EQ(describe(*found, nullptr).reason, Unsupported::kUnreadableFile);
      EXPECT_EQ(describe(*found, nullptr).image, path);
    }
  }
}

TEST(InspectMappedTest, leaves_other_unreadable_files_alone) {
  for (const char* path : {"/usr/lib/libc.so.6", "/usr/bin/python3-config", "/tmp/python",
                           "/usr/share/libpython3.12.txt", "", "/"}) {
    EXPECT_FALSE(inspect_bytes("no ELF file", path).has_value()) << path;
  }
}

TEST(InspectMappedTest, is_not_taken_in_by_a_name) {
  const std::string bytes = testing::read_file("/proc/self/exe");
  EXPECT_FALSE(inspect_bytes(bytes, "/usr/lib/libpython3.12.so.1.0").has_value());
}

TEST(InspectMappedTest, survives_a_runtime_of_garbage) {
  const std::string stem = ::testing::TempDir() + "pyprof_claim_" + std::to_string(::getpid());
  std::ofstream(stem + ".c") << "__attribute__((section(\".PyRuntime\"), used)) char r[4096]={1};";
  const std::string built = stem + "-libpython3.12.so";
  const int failed = std::system(("cc -shared -o " + built + " " + stem + ".c").c_str());
  const std::string bytes = failed != 0 ? "" : testing::read_file(built);
  ::unlink((stem + ".c").c_str());
  ::unlink(built.c_str());
  if (bytes.empty()) GTEST_SKIP() << "no C compiler";
  const auto found = inspect_bytes(bytes, "/usr/lib/libpython3.12.so.1.0");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->reason, Unsupported::kVersionUnknown);
  EXPECT_FALSE(found->supported());
}

TEST(InspectMappedTest, survives_truncation_and_corrupted_offsets) {
  const std::string path = file_with_debug_offsets();
  if (path.empty()) GTEST_SKIP() << "no supported CPython 3.13 or newer";
  const std::string whole = testing::read_file(path);
  const auto good = inspect_bytes(whole, path);
  ASSERT_TRUE(good && good->supported());
  EXPECT_TRUE(good->build.starts_with("static") || good->build.starts_with("shared"));

  const auto file = elf::ElfFile::open_path(path);
  ASSERT_TRUE(file.ok());
  std::size_t loaded = 0;  // bytes of the file that a process maps; symbols may follow
  for (const auto& segment : file->segments())
    loaded = std::max(loaded, segment.offset + segment.file_bytes);
  for (const std::size_t eighths : {1, 3, 5, 7}) {
    const auto cut = inspect_bytes(whole.substr(0, loaded / 8 * eighths), path);
    ASSERT_TRUE(cut.has_value()) << eighths;
    EXPECT_FALSE(cut->supported()) << eighths;
    EXPECT_FALSE(describe(*cut, nullptr).detail.empty());
  }

  // Behind cookie, version and flags: every offset becomes one that no struct can have.
  std::string corrupted = whole;
  const auto at = file->offset_of_address(good->runtime_address);
  ASSERT_TRUE(at.has_value());
  std::fill_n(corrupted.begin() + static_cast<std::ptrdiff_t>(*at) + 24, 512, '\xff');
  const auto found = inspect_bytes(corrupted, path);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->reason, Unsupported::kDebugOffsets);
  EXPECT_EQ(found->full_version, good->full_version);
}

TEST(DescribeTest, misses_a_c_library_that_is_not_known) {
  InterpreterFile file;
  file.version = 0x30c;
  file.config.key_address = 16;
  EXPECT_EQ(describe(file, nullptr).reason, Unsupported::kCLibrary);
  const TsdLayout glibc{WIRE_PY_STATE_KEY_GLIBC, 0x310, 16, 8, 0, {}};
  const auto details = describe(file, &glibc);
  EXPECT_EQ(details.reason, Unsupported::kNone);
  EXPECT_EQ(details.route, "pthread key (glibc)");
  EXPECT_FALSE(details.counter);
}

}  // namespace
}  // namespace pyprof::python
