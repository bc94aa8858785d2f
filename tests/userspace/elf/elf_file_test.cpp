// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/elf_file.h"

#include <dlfcn.h>
#include <elf.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

#include "tests/userspace/elf/files.h"
#include "userspace/elf/symbols.h"

namespace pyprof::elf {
namespace {

uint64_t own_bias() {
  uint64_t bias = 0;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        *static_cast<uint64_t*>(out) = info->dlpi_addr;
        return 1;
      },
      &bias);
  return bias;
}

// The first word after a label in readelf's output.
std::string readelf_word(const std::string& options, const std::string& path,
                         const std::string& label) {
  for (const auto& line :
       testing::output_lines("readelf " + options + " " + testing::quoted(path) + " 2>/dev/null")) {
    const auto at = line.find(label);
    if (at == std::string::npos) continue;
    std::istringstream rest(line.substr(at + label.size()));
    std::string word;
    rest >> word;
    return word;
  }
  return {};
}

TEST(ElfFileTest, reads_build_id_and_soname_like_readelf) {
  const auto file = ElfFile::open_path(testing::libc_path());
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_TRUE(file->position_independent());
  const std::string build_id = readelf_word("-n", testing::libc_path(), "Build ID:");
  if (build_id.empty()) GTEST_SKIP() << "readelf is not installed";
  EXPECT_EQ(file->build_id(), build_id);
  EXPECT_EQ("[" + file->soname() + "]",
            readelf_word("-d", testing::libc_path(), "Library soname:"));
}

TEST(ElfFileTest, finds_symbols_where_the_dynamic_linker_does) {
  const auto file = ElfFile::open_path(testing::libc_path());
  ASSERT_TRUE(file.ok());
  // Not by RTLD_NEXT: sanitizers put wrappers of their own before libc.
  const std::unique_ptr<void, int (*)(void*)> library(
      ::dlopen(testing::libc_path().c_str(), RTLD_LAZY | RTLD_NOLOAD), &::dlclose);
  ASSERT_NE(library, nullptr);
  for (const char* name : {"getenv", "printf", "environ"}) {
    void* const address = ::dlsym(library.get(), name);
    Dl_info info{};
    ASSERT_NE(::dladdr(address, &info), 0);
    const auto symbol = file->find_symbol(name);
    ASSERT_TRUE(symbol.has_value()) << name;
    EXPECT_EQ(symbol->name, name);
    EXPECT_EQ(symbol->address,
              reinterpret_cast<uint64_t>(address) - reinterpret_cast<uint64_t>(info.dli_fbase));
  }
  EXPECT_FALSE(file->find_symbol("geten").has_value());
  EXPECT_FALSE(file->find_symbol("").has_value());
}

thread_local int thread_variable = 7;

TEST(ElfFileTest, finds_local_and_thread_local_symbols) {
  const auto file = ElfFile::open_path(testing::own_path());
  ASSERT_TRUE(file.ok());
  ASSERT_EQ(thread_variable, 7);
  const auto variable = file->find_symbol("_ZN6pyprof3elf12_GLOBAL__N_115thread_variableE");
  ASSERT_TRUE(variable.has_value());
  EXPECT_EQ(variable->type, STT_TLS);
  const auto function = file->find_symbol("main");
  ASSERT_TRUE(function.has_value());
  EXPECT_EQ(function->type, STT_FUNC);
}

TEST(ElfFileTest, reads_at_an_address_what_the_process_has_there) {
  const auto file = ElfFile::open_path(testing::own_path());
  ASSERT_TRUE(file.ok());
  const auto main_symbol = file->find_symbol("main");
  ASSERT_TRUE(main_symbol.has_value());
  const auto bytes = file->at_address(main_symbol->address, 16);
  ASSERT_EQ(bytes.size(), 16u);
  const uint64_t bias = file->position_independent() ? own_bias() : 0;
  EXPECT_EQ(
      std::memcmp(bytes.data(), reinterpret_cast<const void*>(main_symbol->address + bias), 16), 0);
}

TEST(ElfFileTest, turns_offsets_into_addresses_and_back) {
  const auto file = ElfFile::open_path(testing::own_path());
  ASSERT_TRUE(file.ok());
  for (const Segment& segment : file->segments()) {
    if (segment.file_bytes < 2) continue;
    const uint64_t address = segment.address + segment.file_bytes / 2;
    const auto offset = file->offset_of_address(address);
    ASSERT_TRUE(offset.has_value());
    EXPECT_EQ(file->address_of_offset(*offset), address);
  }
  EXPECT_FALSE(file->offset_of_address(~uint64_t{0} - 8).has_value());
  EXPECT_TRUE(file->at_address(~uint64_t{0} - 8, 64).empty());
}

TEST(ElfFileTest, knows_where_an_executable_mapping_begins) {
  const auto file = ElfFile::open_path(testing::own_path());
  ASSERT_TRUE(file.ok());
  const uint64_t bias = file->position_independent() ? own_bias() : 0;
  std::ifstream maps("/proc/self/maps");
  int checked = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" r-xp ") == std::string::npos) continue;
    if (!line.ends_with(testing::own_path())) continue;
    std::istringstream fields(line);
    uint64_t start = 0, end = 0, offset = 0;
    char dash = 0;
    std::string permissions;
    fields >> std::hex >> start >> dash >> end >> permissions >> offset;
    EXPECT_EQ(file->address_of_mapping(offset), start - bias) << line;
    checked++;
  }
  EXPECT_EQ(checked, 1);
}

TEST(ElfFileTest, reads_the_vdso_from_memory) {
  const auto address = ::getauxval(AT_SYSINFO_EHDR);
  if (address == 0) GTEST_SKIP() << "this kernel gives no vdso";
  const auto* first = reinterpret_cast<const uint8_t*>(address);
  const auto file = ElfFile::from_bytes({first, first + 4'096});
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_FALSE(file->soname().empty());
  EXPECT_TRUE(file->find_symbol("__vdso_clock_gettime").has_value() ||
              file->find_symbol("__kernel_clock_gettime").has_value());
}

TEST(ElfFileTest, says_what_is_wrong_with_other_files) {
  const auto text = ElfFile::open_path("/proc/self/status");
  EXPECT_FALSE(text.ok());
  const auto missing = ElfFile::open_path("/nonexistent/file");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("/nonexistent/file"), std::string::npos);
  const auto device = ElfFile::open_path("/dev/null");
  ASSERT_FALSE(device.ok());
  EXPECT_NE(device.error().message.find("not a regular file"), std::string::npos);
  const auto directory = ElfFile::open_path("/");
  EXPECT_FALSE(directory.ok());
}

TEST(ElfFileTest, does_not_hang_on_a_fifo) {
  const auto path =
      std::filesystem::temp_directory_path() / ("pyprof-elf-fifo-" + std::to_string(::getpid()));
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(ElfFile::open_path(path.string()).ok());
  std::filesystem::remove(path);
}

TEST(ElfFileTest, survives_the_file_being_truncated_after_open) {
  const auto path =
      std::filesystem::temp_directory_path() / ("pyprof-elf-cut-" + std::to_string(::getpid()));
  std::filesystem::copy_file(testing::libc_path(), path,
                             std::filesystem::copy_options::overwrite_existing);
  const auto file = ElfFile::open_path(path.string());
  std::filesystem::resize_file(path, 0);
  ASSERT_TRUE(file.ok());
  EXPECT_GT(SymbolTable::from_file(*file).size(), 1'000u);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace pyprof::elf
