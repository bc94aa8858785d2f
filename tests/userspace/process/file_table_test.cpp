// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/file_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "tests/userspace/process/live_process.h"
#include "userspace/elf/elf_file.h"
#include "userspace/process/proc_maps.h"

namespace pyprof::process {
namespace {

namespace fs = std::filesystem;

std::string contents(int fd) {
  std::string text;
  char buffer[65536];
  for (ssize_t count; (count = ::read(fd, buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

std::string contents(const fs::path& path) {
  return contents(Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)).get());
}

// A mapping of the file's first page, as the kernel would report it.
model::Mapping mapping_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  model::Mapping mapping;
  mapping.start = 0x10000;
  mapping.end = 0x11000;
  mapping.file = {status.st_dev, status.st_ino, 0};
  mapping.path = path;
  return mapping;
}

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

bool map_files_allowed(int32_t pid) {
  const auto maps = ProcFs().maps(pid);
  if (!maps || maps->mappings.empty()) return false;
  char name[64];
  std::snprintf(name, sizeof(name), "map_files/%lx-%lx", maps->mappings.front().start,
                maps->mappings.front().end);
  return Fd(::open(ProcFs().path(pid, name).c_str(), O_RDONLY | O_CLOEXEC)).valid();
}

// No process is in it: only paths in our own mount namespace lead to files.
class DeadProcessTest : public testing::Test {
 protected:
  Result<Fd> open(const model::Mapping& mapping) { return open_mapping(proc(), 7, mapping); }
  ProcFs proc() { return ProcFs(empty_.path()); }
  fs::path file(const std::string& name, const std::string& text) {
    files_.write(name, text);
    return files_.path() / name;
  }

  TemporaryDirectory empty_;
  TemporaryDirectory files_;
};

TEST(OpenMappingTest, reaches_a_deleted_executable_of_a_live_process) {
  const TemporaryDirectory directory;
  const auto program = directory.path() / "a nap";
  fs::copy_file(find_program("sleep"), program);
  const LiveProcess child({program.string(), "1000"});
  if (!map_files_allowed(child.pid())) GTEST_SKIP() << "map_files is not readable here";
  fs::remove(program);
  const auto maps = ProcFs().maps(child.pid());
  ASSERT_TRUE(maps);
  const auto& own = maps->mappings.front();
  ASSERT_EQ(own.path, program.string() + " (deleted)");
  const auto fd = open_mapping(ProcFs(), child.pid(), own);
  ASSERT_TRUE(fd);
  EXPECT_EQ(contents(fd->get()), contents(find_program("sleep")));
}

TEST(OpenMappingTest, finds_the_range_the_kernel_has_now) {
  const LiveProcess child({"sleep", "1000"});
  if (!map_files_allowed(child.pid())) GTEST_SKIP() << "map_files is not readable here";
  auto maps = ProcFs().maps(child.pid());
  ASSERT_TRUE(maps);
  auto part = maps->mappings.front();
  part.end -= 0x1000;
  part.path = "/gone";
  const auto fd = open_mapping(ProcFs(), child.pid(), part);
  ASSERT_TRUE(fd);
  EXPECT_EQ(contents(fd->get()), contents(find_program("sleep")));
}

TEST(OpenMappingTest, gives_the_vdso_as_a_file) {
  const auto maps = ProcFs().maps(::getpid());
  ASSERT_TRUE(maps);
  const auto vdso = std::find_if(maps->mappings.begin(), maps->mappings.end(), is_vdso);
  if (vdso == maps->mappings.end()) GTEST_SKIP() << "this kernel maps no vdso";
  auto fd = open_mapping(ProcFs(), ::getpid(), *vdso);
  ASSERT_TRUE(fd);
  const auto file = elf::ElfFile::open(std::move(*fd));
  ASSERT_TRUE(file);
  EXPECT_NE(file->soname().find("vdso"), std::string::npos);
}

TEST(OpenMappingTest, stays_inside_the_root_of_the_process) {
  const TemporaryDirectory root;
  const TemporaryDirectory proc;
  const TemporaryDirectory outside;
  outside.write("secret", "secret");
  root.write("lib/real.so", "inside");
  fs::create_symlink("/lib/real.so", root.path() / "absolute.so");
  fs::create_symlink(outside.path() / "secret", root.path() / "escape.so");
  fs::create_directory(proc.path() / "7");
  fs::create_directory_symlink(root.path(), proc.path() / "7/root");
  auto mapping = mapping_of(root.path() / "lib/real.so");
  for (const char* path : {"/lib/real.so", "/absolute.so", "/../../lib/real.so"}) {
    mapping.path = path;
    const auto fd = open_mapping(ProcFs(proc.path()), 7, mapping);
    ASSERT_TRUE(fd) << path;
    EXPECT_EQ(contents(fd->get()), "inside");
  }
  mapping = mapping_of(outside.path() / "secret");
  mapping.path = "/escape.so";
  EXPECT_FALSE(open_mapping(ProcFs(proc.path()), 7, mapping));
}

TEST_F(DeadProcessTest, still_opens_its_file_by_path) {
  const auto path = file("a.so", "text");
  const auto fd = open(mapping_of(path));
  ASSERT_TRUE(fd);
  EXPECT_EQ(contents(fd->get()), "text");
}

TEST_F(DeadProcessTest, refuses_a_file_that_took_the_path) {
  const auto path = file("a.so", "old");
  const auto mapping = mapping_of(path);
  fs::rename(path, files_.path() / "kept");
  file("a.so", "new");
  const auto fd = open(mapping);
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().code, ExitCode::kNoProcess);
}

TEST_F(DeadProcessTest, another_device_needs_a_fitting_size_or_the_build_id) {
  auto mapping = mapping_of(file("a.so", std::string(5000, 'x')));
  mapping.file.device += 1;
  mapping.end = mapping.start + 0x2000;
  EXPECT_TRUE(open(mapping));
  mapping.file_offset = 0x1000;
  EXPECT_FALSE(open(mapping)) << "ends behind the file";
  mapping.file_offset = ~uint64_t{0} - 0xfff;
  EXPECT_FALSE(open(mapping));
  mapping.file_offset = 0;
  mapping.build_id = "\x01\x02";
  EXPECT_FALSE(open(mapping)) << "the file has no build-id";
}

TEST_F(DeadProcessTest, opens_neither_fifos_nor_directories_nor_devices) {
  const auto fifo = files_.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const auto& path : {fifo, files_.path(), fs::path("/dev/null")}) {
    EXPECT_FALSE(open(mapping_of(path))) << path;
  }
}

TEST_F(DeadProcessTest, a_build_id_stands_in_for_the_inode) {
  const auto program = find_program("sleep");
  const auto build_id = elf::ElfFile::open_path(program)->build_id();
  if (build_id.empty()) GTEST_SKIP() << program << " has no build-id";
  auto mapping = mapping_of(program);
  mapping.file = {};
  mapping.build_id = from_hex(build_id);
  EXPECT_TRUE(open(mapping));
  mapping.build_id[0] = static_cast<char>(mapping.build_id[0] ^ 1);
  EXPECT_FALSE(open(mapping));
}

int collect_objects(dl_phdr_info* info, std::size_t, void* data) {
  auto& bases = *static_cast<std::map<uint64_t, uint64_t>*>(data);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    const bool text = segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0;
    if (text) bases[info->dlpi_addr + segment.p_vaddr] = info->dlpi_addr;
  }
  return 0;
}

TEST(FileTableTest, address_bias_is_what_the_loader_says) {
  std::map<uint64_t, uint64_t> truth;  // an address in the text -> load base
  ::dl_iterate_phdr(collect_objects, &truth);
  ASSERT_GE(truth.size(), 3U);
  FileTable files;
  std::size_t checked = 0;
  const auto maps = ProcFs().maps(::getpid());
  ASSERT_TRUE(maps);
  for (const auto& mapping : maps->mappings) {
    const auto text = truth.lower_bound(mapping.start);
    if (text == truth.end() || text->first >= mapping.end) continue;
    const auto binding = files.identify(ProcFs(), ::getpid(), mapping);
    ASSERT_TRUE(binding) << mapping.path;
    EXPECT_EQ(binding->bias, text->second) << mapping.path;
    EXPECT_EQ(files.info(binding->file)->path, mapping.path);
    ++checked;
  }
  EXPECT_EQ(checked, truth.size());
}

TEST_F(DeadProcessTest, copies_with_one_build_id_share_a_number) {
  const auto program = find_program("sleep");
  const auto copy = files_.path() / "copy";
  fs::copy_file(program, copy);
  FileTable files;
  const auto original = mapping_of(program);
  EXPECT_FALSE(files.find(original)) << "nothing is opened by find()";
  const auto first = files.identify(proc(), 7, original);
  const auto second = files.identify(proc(), 7, mapping_of(copy));
  ASSERT_TRUE(first && second);
  if (files.info(first->file)->build_id.empty()) GTEST_SKIP() << program << " has no build-id";
  EXPECT_EQ(first->file, second->file);
  EXPECT_EQ(files.size(), 1U);
  fs::remove(copy);
  EXPECT_EQ(files.find(original)->file, first->file);
}

TEST_F(DeadProcessTest, a_known_build_id_needs_no_file) {
  const auto program = find_program("sleep");
  const auto build_id = elf::ElfFile::open_path(program)->build_id();
  if (build_id.empty()) GTEST_SKIP() << program << " has no build-id";
  FileTable files;
  auto mapping = mapping_of(program);
  const auto first = files.identify(proc(), 7, mapping);
  ASSERT_TRUE(first);
  const auto image = elf::ElfFile::open_path(program);
  for (const auto& segment : image->segments()) {
    if (segment.executable) mapping.file_offset = segment.offset & ~uint64_t{0xfff};
  }
  mapping.file = {};
  mapping.path = "/somewhere/else";
  mapping.build_id = from_hex(build_id);
  const auto again = files.find(mapping);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->file, first->file);
  mapping.file_offset += 0x1000;
  EXPECT_FALSE(files.find(mapping)) << "an edited file may have kept the build-id";
}

TEST_F(DeadProcessTest, a_reused_inode_is_another_file) {
  auto mapping = mapping_of(file("a", "1"));
  mapping.file.inode_generation = 11;
  FileTable files;
  const auto first = files.identify(proc(), 7, mapping);
  mapping.file.inode_generation = 12;
  EXPECT_FALSE(files.find(mapping));
  const auto second = files.identify(proc(), 7, mapping);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->file, second->file);
  mapping.file.inode_generation = 0;
  EXPECT_EQ(files.find(mapping)->file, second->file) << "a scan means the newest";
  mapping.file.inode_generation = 11;
  EXPECT_EQ(files.find(mapping)->file, first->file);
}

TEST_F(DeadProcessTest, a_file_that_is_not_elf_has_its_offsets_as_addresses) {
  auto mapping = mapping_of(file("jit", std::string(9000, 'x')));
  mapping.file_offset = 0x1000;
  FileTable files;
  const auto binding = files.identify(proc(), 7, mapping);
  ASSERT_TRUE(binding);
  EXPECT_EQ(mapping.start + 5 - binding->bias, 0x1005U);
  EXPECT_EQ(files.info(binding->file)->build_id, "");
}

TEST_F(DeadProcessTest, what_has_no_file_has_no_number) {
  FileTable files;
  model::Mapping mapping;
  mapping.start = 0x1000;
  mapping.end = 0x2000;
  for (const char* path : {"//anon", "[heap]", ""}) {
    mapping.path = path;
    EXPECT_FALSE(files.identify(proc(), 7, mapping)) << path;
  }
  EXPECT_EQ(files.size(), 0U);
}

TEST_F(DeadProcessTest, a_full_table_drops_the_longest_unused_and_never_reuses_numbers) {
  FileTable files(16);
  std::vector<model::Mapping> mappings;
  for (int i = 0; i < 17; ++i) {
    mappings.push_back(mapping_of(file(std::to_string(i), "x")));
  }
  for (int i = 0; i < 16; ++i)
    ASSERT_TRUE(files.identify(proc(), 7, mappings[i]));
  EXPECT_TRUE(files.find(mappings[0]));
  ASSERT_TRUE(files.identify(proc(), 7, mappings[16]));
  EXPECT_EQ(files.evicted(), 1U);
  EXPECT_EQ(files.size(), 16U);
  EXPECT_TRUE(files.find(mappings[0]));
  EXPECT_FALSE(files.find(mappings[1]));
  EXPECT_FALSE(files.info(2));
  EXPECT_EQ(files.identify(proc(), 7, mappings[1])->file, 18U);
}

TEST_F(DeadProcessTest, a_long_path_keeps_its_end) {
  FileTable files;
  std::string deep = "d";
  for (int i = 0; i < 12; ++i)
    deep += "/" + std::string(200, 'd');
  const auto binding = files.identify(proc(), 7, mapping_of(file(deep + "/end.so", "x")));
  ASSERT_TRUE(binding);
  const auto path = files.info(binding->file)->path;
  EXPECT_EQ(path.size(), FileTable::kMaxPathBytes);
  EXPECT_TRUE(path.ends_with("/end.so"));
}

TEST(FileFactsTest, segments_decide_beside_the_build_id) {
  FileFacts a;
  a.is_elf = true;
  a.build_id = "0102";
  a.segments = {{0x401000, 0x1000, 0x500}};
  FileFacts b = a;
  EXPECT_TRUE(a.same_image(b));
  b.segments[0].offset = 0x2000;
  EXPECT_FALSE(a.same_image(b));
}

TEST(FileFactsTest, bias_of_hostile_segments_is_defined) {
  FileFacts facts;
  facts.is_elf = true;
  facts.segments = {{~uint64_t{0}, ~uint64_t{0} - 5, ~uint64_t{0}}, {0x1234, 0x1234, 0x10}};
  model::Mapping mapping;
  mapping.start = 0x7f0000001000;
  mapping.end = 0x7f0000002000;
  mapping.file_offset = 0x1000;
  mapping.path = "/x";
  EXPECT_EQ(facts.bias(mapping), 0x7f0000000000U);
}

}  // namespace
}  // namespace pyprof::process
