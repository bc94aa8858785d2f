// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/thread_variable.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

// Files that the C compiler makes; for libraries the truth is what the loader does with them.
namespace pyprof::python {
namespace {

constexpr char kSource[] =
    "__attribute__((visibility(\"hidden\"))) __thread long before[5];\n"
    "__attribute__((visibility(\"hidden\"))) __thread void* value;\n"
    "void* get(void) { return value; }\n"
    "void set(void* to) { before[2] = 1; value = to; }\n"
    "int main(void) { return get() != 0; }\n";

class ThreadVariableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    stem_ = ::testing::TempDir() + "pyprof_tls_" + std::to_string(::getpid());
    std::ofstream(stem_ + ".c") << kSource;
  }
  void TearDown() override {
    for (const char* suffix : {".c", ".out", ".stripped"})
      std::filesystem::remove(stem_ + suffix);
  }

  // Path of the built file; "" without a compiler.
  std::string build(const std::string& flags) {
    const std::string output = stem_ + ".out";
    const std::string command = "cc -O2 " + flags + " -o " + output + " " + stem_ + ".c";
    return std::system(command.c_str()) == 0 ? output : "";
  }
  std::string strip(const std::string& path) {
    const std::string output = stem_ + ".stripped";
    return std::system(("strip -o " + output + " " + path).c_str()) == 0 ? output : "";
  }

  static std::optional<ThreadVariable> find(const std::string& path,
                                            const std::string& variable = "value") {
    const auto file = elf::ElfFile::open_path(path);
    return file ? find_thread_variable(*file, variable, "get") : std::nullopt;
  }

  std::string stem_;
};

TEST_F(ThreadVariableTest, of_an_executable_is_at_a_fixed_distance) {
  for (const char* flags : {"-rdynamic", "-rdynamic -no-pie -fno-pie", "-rdynamic -static"}) {
    const std::string path = build(flags);
    if (path.empty()) GTEST_SKIP() << "no C compiler";
    const auto named = find(path);
    ASSERT_TRUE(named) << flags;
    EXPECT_EQ(named->module_slot, 0u);
    EXPECT_LT(named->offset, 0);
    const auto decoded = find(path, "no such variable");
    ASSERT_TRUE(decoded) << flags;
    EXPECT_EQ(decoded->offset, named->offset) << flags;
  }
}

struct Vector {
  uint64_t block;
  uint64_t to_free;
};

// glibc on x86-64: the thread pointer's second word is the vector, whose first element is a count.
uint64_t value_by_vector(const ThreadVariable& variable, uint64_t bias) {
  uint64_t thread = 0;
  asm("mov %%fs:0,%0" : "=r"(thread));
  const auto* vector = *reinterpret_cast<const Vector* const*>(thread + 8);
  const uint64_t module = *reinterpret_cast<const uint64_t*>(bias + variable.module_slot);
  const uint64_t at = vector[module].block + static_cast<uint64_t>(variable.offset);
  return *reinterpret_cast<const uint64_t*>(at);
}

TEST_F(ThreadVariableTest, of_a_library_is_in_its_block) {
  const std::string path = build("-shared -fPIC");
  if (path.empty()) GTEST_SKIP() << "no C compiler";
  void* library = dlopen(path.c_str(), RTLD_NOW);
  ASSERT_NE(library, nullptr);
  reinterpret_cast<void (*)(void*)>(dlsym(library, "set"))(&stem_);
  Dl_info info{};
  ASSERT_NE(dladdr(dlsym(library, "get"), &info), 0);
  const auto bias = reinterpret_cast<uint64_t>(info.dli_fbase);
  for (const std::string& file : {path, strip(path)}) {
    const auto found = find(file);
    ASSERT_TRUE(found) << file;
    ASSERT_NE(found->module_slot, 0u);
    EXPECT_EQ(value_by_vector(*found, bias), reinterpret_cast<uint64_t>(&stem_));
  }
  dlclose(library);
}

TEST_F(ThreadVariableTest, is_not_found_where_it_is_not) {
  EXPECT_FALSE(find("/bin/true"));
  const std::string path = build("-shared -fPIC");
  if (path.empty()) GTEST_SKIP() << "no C compiler";
  const auto file = elf::ElfFile::open_path(path);
  ASSERT_TRUE(file);
  EXPECT_FALSE(find_thread_variable(*file, "none", "none"));
  EXPECT_FALSE(find_thread_variable(*file, "none", "main"));
}

// Whatever a file holds, nothing outside of it is read.
TEST_F(ThreadVariableTest, survives_every_changed_byte_of_the_function) {
  const std::string path = build("-shared -fPIC");
  if (path.empty()) GTEST_SKIP() << "no C compiler";
  std::ifstream stream(strip(path), std::ios::binary);
  const std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(stream)), {});
  const auto whole = elf::ElfFile::from_bytes(bytes);
  ASSERT_TRUE(whole);
  const auto function = whole->find_symbol("get");
  ASSERT_TRUE(function);
  for (uint64_t at = function->address; at < function->address + function->bytes; ++at) {
    for (const uint8_t value : {0x00, 0x48, 0x7f, 0xff}) {
      auto changed = bytes;
      changed.at(at) = value;  // the linker puts text at file offset = address
      const auto file = elf::ElfFile::from_bytes(std::move(changed));
      if (file) static_cast<void>(find_thread_variable(*file, "none", "get"));
    }
  }
}

}  // namespace
}  // namespace pyprof::python
