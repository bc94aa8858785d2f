// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/interpreter.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "tests/userspace/python/interpreters.h"
#include "tests/userspace/python/target.h"
#include "userspace/python/code_counter.h"

namespace pyprof::python {
namespace {

void check_interpreter(const InterpreterFile& found, const std::string& name) {
  const std::string number = name.substr(0, name.find('t'));
  EXPECT_EQ(found.full_version, number);
  EXPECT_EQ(found.version, testing::minor_version(name));
  EXPECT_EQ(found.unsupported, "") << name;
  EXPECT_NE(found.runtime_address, 0u) << name;
  if (!found.supported()) return;
  EXPECT_EQ(found.config.version, found.version);
  EXPECT_TRUE(found.config.key_address != 0 || found.config.tls_offset < 0) << name;
  EXPECT_EQ(found.config.current_address != 0, found.version <= 0x30b);
}

// Every file that a running interpreter has mapped, for each interpreter.
template <typename Check>
void for_each_library(Check check) {
  for (const auto& interpreter : testing::find_interpreters()) {
    testing::Target target(interpreter,
                           "import sys; print('up'); sys.stdout.flush(); sys.stdin.readline()");
    ASSERT_EQ(target.read_line(), "up") << interpreter.path;
    for (const auto& mapping : target.files())
      if (const auto file = elf::ElfFile::open_path(mapping.path)) check(*file, mapping.path);
  }
}

// The same file, but for every place that holds a text.
elf::ElfFile with_text_replaced(const std::string& path, const std::string& text,
                                const std::string& by) {
  std::string bytes = testing::read_file(path);
  for (std::size_t at = bytes.find(text); !text.empty() && at != bytes.npos;
       at = bytes.find(text, at))
    bytes.replace(at, text.size(), by);
  return std::move(*elf::ElfFile::from_bytes({bytes.begin(), bytes.end()}));
}

// Empty = no `strip` here.
std::optional<elf::ElfFile> stripped(const std::string& path) {
  const std::string copy = ::testing::TempDir() + "pyprof_stripped_" + std::to_string(getpid());
  if (std::system(("strip -s -o '" + copy + "' '" + path + "'").c_str()) != 0) return std::nullopt;
  auto file = elf::ElfFile::open_path(copy);
  unlink(copy.c_str());
  if (!file) return std::nullopt;
  return std::move(*file);
}

// Every file that the running interpreter has mapped: one holds the runtime, the others, such as
// an executable that only links against it, do not.
TEST(InspectTest, finds_the_runtime_of_every_interpreter) {
  const auto interpreters = testing::find_interpreters();
  if (interpreters.empty()) GTEST_SKIP();
  for (const auto& interpreter : interpreters) {
    const std::string name = testing::ask_version(interpreter);
    testing::Target target(interpreter,
                           "import sys; print('up'); sys.stdout.flush(); sys.stdin.readline()");
    ASSERT_EQ(target.read_line(), "up") << interpreter.path;
    int runtimes = 0, thread_libraries = 0;
    for (const auto& mapping : target.files()) {
      const auto file = elf::ElfFile::open_path(mapping.path);
      ASSERT_TRUE(file.ok()) << mapping.path;
      if (const auto found = inspect(*file, mapping.path)) {
        ++runtimes;
        check_interpreter(*found, name);
        std::printf("%s: %s %s\n", mapping.path.c_str(), found->full_version.c_str(),
                    found->unsupported.c_str());
      }
      if (inspect_libc(*file)) ++thread_libraries;
    }
    EXPECT_EQ(runtimes, 1) << interpreter.path;
    EXPECT_GE(thread_libraries, 1) << interpreter.path;
  }
}

TEST(InspectTest, is_not_taken_in_by_other_programs) {
  const auto self = elf::ElfFile::open_path("/proc/self/exe");
  ASSERT_TRUE(self.ok());
  EXPECT_FALSE(inspect(*self, "/usr/bin/python3.12").has_value());
  EXPECT_FALSE(inspect_libc(*self).has_value());
}

// The files that this process has mapped.
std::vector<std::string> own_files() {
  std::ifstream maps("/proc/self/maps");
  std::set<std::string> files;
  for (std::string line; std::getline(maps, line);)
    if (const std::size_t at = line.find('/'); at != std::string::npos)
      files.insert(line.substr(at));
  return {files.begin(), files.end()};
}

// A value of this thread, found as the kernel side does it, for keys in and beyond the first block.
TEST(InspectLibcTest, finds_the_values_of_this_thread) {
  TsdLayout layout;
  for (const std::string& path : own_files()) {
    const auto file = elf::ElfFile::open_path(path);
    if (const auto found = file ? inspect_libc(*file) : std::nullopt) layout = *found;
  }
  ASSERT_EQ(layout.state_kind, static_cast<uint32_t>(WIRE_PY_STATE_KEY_GLIBC));
  const auto thread = reinterpret_cast<const char*>(__builtin_thread_pointer());
  int value = 0;
  for (int i = 0; i < 70; ++i) {
    pthread_key_t key = 0;
    ASSERT_EQ(pthread_key_create(&key, nullptr), 0);
    ASSERT_EQ(pthread_setspecific(key, &value), 0);
    const char* block = thread + layout.level1 - 32 * layout.data_size;
    if (key >= 32) std::memcpy(&block, thread + layout.level1 + 8 * (key / 32), sizeof(block));
    const void* found = nullptr;
    std::memcpy(&found, block + key % 32 * layout.data_size + layout.data_offset, sizeof(found));
    EXPECT_EQ(found, &value) << key;
  }
}

TEST(InspectLibcTest, knows_musl) {
  const auto file = elf::ElfFile::open_path("/lib/ld-musl-x86_64.so.1");
  if (!file) GTEST_SKIP() << "musl is not installed (/lib/ld-musl-x86_64.so.1)";
  const auto layout = inspect_libc(*file);
  ASSERT_TRUE(layout.has_value());
  EXPECT_EQ(layout->state_kind, static_cast<uint32_t>(WIRE_PY_STATE_KEY_MUSL));
  EXPECT_EQ(layout->level1, 0x80);
}

// Distributions strip their interpreters. The truth is the symbol of the same file before.
TEST(CodeCounterTest, finds_the_counter_in_a_stripped_file) {
  int checked = 0;
  for (const auto& interpreter : testing::find_interpreters()) {
    if (testing::minor_version(testing::ask_version(interpreter)) != 0x30c) continue;
    testing::Target target(interpreter,
                           "import sys; print('up'); sys.stdout.flush(); sys.stdin.readline()");
    ASSERT_EQ(target.read_line(), "up");
    for (const auto& mapping : target.files()) {
      const auto file = elf::ElfFile::open_path(mapping.path);
      if (!file || !inspect(*file, mapping.path) || !file->find_symbol("_Py_next_func_version"))
        continue;
      const std::string stripped =
          ::testing::TempDir() + "pyprof_stripped_" + std::to_string(getpid());
      const std::string command = "strip -s -o '" + stripped + "' '" + mapping.path + "'";
      if (std::system(command.c_str()) != 0) continue;
      const auto copy = elf::ElfFile::open_path(stripped);
      ASSERT_TRUE(copy.ok());
      EXPECT_FALSE(copy->find_symbol("_Py_next_func_version").has_value());
      EXPECT_EQ(find_global_code_counter(*copy),
                file->find_symbol("_Py_next_func_version")->address);
      unlink(stripped.c_str());
      ++checked;
    }
  }
  if (checked == 0) GTEST_SKIP() << "no CPython 3.12 with symbols, or no strip";
}

TEST(MakeConfigTest, moves_addresses_by_the_load_bias) {
  InterpreterFile file;
  file.config.key_address = 0x1000;
  file.config.stamp_address = 0x2000;
  const TsdLayout musl{WIRE_PY_STATE_KEY_MUSL, 0x80, 8, 0, 0, {}};
  const wire_python_config config = make_config(file, 0x7f0000000000, musl);
  EXPECT_EQ(config.key_address, 0x7f0000001000u);
  EXPECT_EQ(config.stamp_address, 0x7f0000002000u);
  EXPECT_EQ(config.current_address, 0u);
  EXPECT_EQ(config.state_kind, static_cast<uint32_t>(WIRE_PY_STATE_KEY_MUSL));
  EXPECT_EQ(config.tsd_level1, 0x80);
  EXPECT_EQ(config.key_plus_one, 0u);
}

// What a stripped file doesn't name is decoded; the truth is the symbol of the same file before.
TEST(InspectTest, finds_in_a_stripped_file_what_symbols_say) {
  int checked = 0;
  for_each_library([&](const elf::ElfFile& file, const std::string& path) {
    const auto whole = inspect(file, path);
    if (!whole || whole->version >= 0x307) return;
    const auto copy = stripped(path);
    if (!copy) return;
    const auto found = inspect(*copy, path);
    ASSERT_TRUE(found.has_value()) << path;
    EXPECT_EQ(found->unsupported, "") << path;
    EXPECT_EQ(found->runtime_address, file.find_symbol("interp_head")->address) << path;
    EXPECT_EQ(found->config.key_address, whole->config.key_address) << path;
    EXPECT_EQ(found->config.current_address, whole->config.current_address) << path;
    EXPECT_FALSE(copy->find_symbol("interp_head").has_value());
    ++checked;
  });
  if (checked == 0) GTEST_SKIP() << "no CPython 2.7 or 3.6, or no strip";
}

// Before 3.11 only the name says the version: it has to fit what the file holds.
TEST(InspectTest, knows_renamed_files_and_refuses_wrong_names) {
  int checked = 0;
  for_each_library([&](const elf::ElfFile& file, const std::string& path) {
    const auto named = inspect(file, path);
    if (!named || named->version >= 0x30b) return;
    const std::string name = file.soname();
    const auto nameless = with_text_replaced(path, name, std::string(name.size(), 'x'));
    const auto renamed = inspect(nameless, "/opt/app/server");
    ASSERT_TRUE(renamed.has_value()) << path;
    EXPECT_EQ(renamed->version, named->version);
    EXPECT_EQ(renamed->unsupported, "") << path;
    const auto wrong = inspect(nameless, named->version == 0x308 ? "python3.9" : "python3.8");
    ASSERT_TRUE(wrong.has_value()) << path;
    EXPECT_NE(wrong->unsupported, "") << path;
    ++checked;
  });
  if (checked == 0) GTEST_SKIP() << "no shared CPython before 3.11";
}

TEST(VersionTest, tells_layouts_of_one_version_by_their_size) {
  ASSERT_NE(find_version(0x307), nullptr);
  EXPECT_EQ(find_version(0x307)->runtime_key, 1504);
  EXPECT_EQ(find_version(0x307, 1520)->runtime_key, 1504);
  EXPECT_EQ(find_version(0x307, 1432)->runtime_key, 1416);  // 3.7.0 to 3.7.3
  EXPECT_EQ(find_version(0x307, 1464), nullptr);
  EXPECT_EQ(version_of_runtime(1432), 0x307);
  EXPECT_EQ(version_of_runtime(656), 0x309);
  EXPECT_EQ(version_of_runtime(1), 0);
  EXPECT_EQ(version_of_runtime(0), 0);
}

// Debug offsets of a made-up file.
std::vector<uint8_t> debug_offsets(uint64_t value) {
  std::vector<uint8_t> bytes(1024);
  for (std::size_t at = 24; at < bytes.size(); at += 8)
    std::memcpy(&bytes[at], &value, sizeof(value));
  std::memcpy(bytes.data(), "xdebugpy", 8);
  return bytes;
}

TEST(DebugOffsetsTest, refuses_what_no_build_can_have) {
  const VersionRow* row = find_version(0x30e);
  ASSERT_NE(row, nullptr);
  for (const uint64_t value :
       {uint64_t{0}, uint64_t{7}, uint64_t{480}, uint64_t{16384}, ~uint64_t{0}})
    EXPECT_FALSE(with_debug_offsets(*row, debug_offsets(value)).ok()) << value;
  std::vector<uint8_t> cut = debug_offsets(8);
  cut.resize(100);
  EXPECT_FALSE(with_debug_offsets(*row, cut).ok());
}

TEST(VersionTest, names_pre_releases) {
  EXPECT_EQ(version_text(0x030c01f0), "3.12.1");
  EXPECT_EQ(version_text(0x030f00a2), "3.15.0a2");
  EXPECT_EQ(version_text(0x030e00c1), "3.14.0rc1");
  EXPECT_EQ(find_version(0x305), nullptr);
  EXPECT_EQ(find_version(0x310), nullptr);
}

}  // namespace
}  // namespace pyprof::python
