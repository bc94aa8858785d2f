// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/debug_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "tests/userspace/process/live_process.h"
#include "userspace/elf/debug_files.h"

namespace pyprof::process {
namespace {

namespace fs = std::filesystem;

// A root with /opt/program, stripped and with a debug link, and debug files where the test puts
// them.
class DebugFileTest : public testing::Test {
 protected:
  void SetUp() override {
    root_.write("p.c", "int main(void) { return 0; }\n");
    root_.write("usr/lib/debug/opt/keep", "");
    root_.write("opt/.debug/keep", "");
    run("gcc -g -o whole p.c && gcc -g -O2 -Dother -o another p.c");
    run("objcopy --only-keep-debug whole d && objcopy --only-keep-debug another other.d");
    run("cp d program.debug && strip -o opt/program whole");
    run("objcopy --add-gnu-debuglink=program.debug opt/program");
  }
  void run(const std::string& command) const {
    const std::string all = "cd '" + root_.path().string() + "' && " + command;
    ASSERT_EQ(std::system(all.c_str()), 0) << all;
  }
  // The debug file's path inside the root; "" if none is found.
  std::string found(const std::string& path = "/opt/program") const {
    const auto file = elf::ElfFile::open_path((root_.path() / "opt/program").string());
    if (!file) return file.error().message;
    const Fd root(::open(root_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const auto link = elf::debug_link(*file);
    for (const Fd& candidate :
         debug_file_candidates(root, path, file->build_id(), link ? link->name : "")) {
      const std::string name = "/proc/self/fd/" + std::to_string(candidate.get());
      const auto debug = elf::ElfFile::open_path(name);
      if (!debug || !elf::is_debug_file_of(*file, *debug, candidate)) continue;
      return fs::relative(fs::read_symlink(name), root_.path()).string();
    }
    return "";
  }
  std::string by_build_id() const {
    const auto file = elf::ElfFile::open_path((root_.path() / "whole").string());
    const std::string id = file->build_id();
    return "usr/lib/debug/.build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug";
  }
  void put(const std::string& source, const std::string& path) const {
    fs::create_directories((root_.path() / path).parent_path());
    fs::copy_file(root_.path() / source, root_.path() / path, fs::copy_options::overwrite_existing);
  }

  TemporaryDirectory root_;
};

TEST_F(DebugFileTest, every_place_of_distributions_in_their_order) {
  EXPECT_EQ(found(), "");
  for (const std::string& path :
       {std::string("usr/lib/debug/opt/program.debug"), std::string("opt/.debug/program.debug"),
        std::string("opt/program.debug"), by_build_id()}) {
    put("d", path);
    EXPECT_EQ(found(), path);
  }
}

TEST_F(DebugFileTest, a_file_of_another_build_is_refused) {
  put("other.d", "opt/program.debug");
  put("other.d", by_build_id());
  EXPECT_EQ(found(), "");
  put("d", "opt/.debug/program.debug");
  EXPECT_EQ(found(), "opt/.debug/program.debug");
}

TEST_F(DebugFileTest, without_a_build_id_the_crc_decides) {
  run("objcopy --remove-section=.note.gnu.build-id whole bare && objcopy --only-keep-debug bare"
      " program.debug && strip -o opt/program bare &&"
      " objcopy --add-gnu-debuglink=program.debug opt/program");
  put("program.debug", "opt/program.debug");
  EXPECT_EQ(found(), "opt/program.debug");
  run("printf x >> opt/program.debug");
  EXPECT_EQ(found(), "");
}

TEST_F(DebugFileTest, links_out_of_the_root_lead_nowhere) {
  TemporaryDirectory outside;
  fs::copy_file(root_.path() / "d", outside.path() / "d");
  fs::create_symlink(outside.path() / "d", root_.path() / "opt/program.debug");
  EXPECT_EQ(found(), "");
}

TEST_F(DebugFileTest, the_path_may_be_anything) {
  put("d", "usr/lib/debug/opt/program.debug");
  fs::remove(root_.path() / "program.debug");
  for (const char* path : {"", "program", "[vdso]", "/", "/../../opt", "/opt/none/program"}) {
    EXPECT_EQ(found(path), "") << path;
  }
}

}  // namespace
}  // namespace pyprof::process
