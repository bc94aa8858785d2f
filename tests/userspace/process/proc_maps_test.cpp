// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/proc_maps.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

namespace pyprof::process {
namespace {

constexpr const char* kLibrary =
    "7f1c2a400000-7f1c2a55a000 r-xp 00026000 103:05 1835013                    "
    "/usr/lib/x86_64-linux-gnu/libc.so.6";

std::string with_path(const std::string& path) {
  return "1000-2000 r-xp 00000000 08:01 7 " + path;
}

TEST(ParseMapsLineTest, reads_all_fields_of_a_library) {
  const auto mapping = parse_maps_line(kLibrary);
  ASSERT_TRUE(mapping);
  EXPECT_EQ(mapping->start, 0x7f1c2a400000U);
  EXPECT_EQ(mapping->end, 0x7f1c2a55a000U);
  EXPECT_EQ(mapping->file_offset, 0x26000U);
  EXPECT_EQ(mapping->file.device, makedev(0x103, 5));
  EXPECT_EQ(mapping->file.inode, 1835013U);
  EXPECT_EQ(mapping->path, "/usr/lib/x86_64-linux-gnu/libc.so.6");
  EXPECT_TRUE(has_file(*mapping));
}

TEST(ParseMapsLineTest, leaves_out_what_is_not_executable) {
  EXPECT_FALSE(parse_maps_line("1000-2000 rw-p 00000000 08:01 7 /x"));
  EXPECT_TRUE(parse_maps_line("1000-2000 --xs 00000000 08:01 7 /x"));
}

TEST(ParseMapsLineTest, names_anonymous_memory_as_the_side_band_does) {
  const auto mapping = parse_maps_line("1000-2000 rwxp 00000000 00:00 0 ");
  ASSERT_TRUE(mapping);
  EXPECT_EQ(mapping->path, "//anon");
  EXPECT_FALSE(has_file(*mapping));
}

TEST(ParseMapsLineTest, keeps_spaces_and_deleted_and_undoes_newlines) {
  EXPECT_EQ(parse_maps_line(with_path("/a b  c.so (deleted)"))->path, "/a b  c.so (deleted)");
  EXPECT_EQ(without_deleted("/a b  c.so (deleted)"), "/a b  c.so");
  EXPECT_EQ(parse_maps_line(with_path("/a\\012b\\012"))->path, "/a\nb\n");
  EXPECT_EQ(parse_maps_line(with_path("/a\\013b\\01"))->path, "/a\\013b\\01");
}

TEST(ParseMapsLineTest, vdso_has_a_file_and_vsyscall_is_left_out) {
  const auto vdso = parse_maps_line("7ffd1000-7ffd3000 r-xp 00000000 00:00 0    [vdso]");
  ASSERT_TRUE(vdso);
  EXPECT_TRUE(is_vdso(*vdso));
  EXPECT_TRUE(has_file(*vdso));
  EXPECT_FALSE(
      parse_maps_line("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0    [vsyscall]"));
}

TEST(ParseMapsLineTest, refuses_malformed_lines) {
  for (const char* line :
       {"", "-", "1000", "1000-", "1000-2000", "1000-2000 r-x", "1000-2000 r-xp",
        "x-y r-xp 0 0:0 0", "2000-1000 r-xp 00000000 08:01 7 /x",
        "1000-1000 r-xp 00000000 08:01 7 /x", "1000-2000 r-xp 00000000 08 7 /x",
        "1ffffffffffffffff-2 r-xp 00000000 08:01 7 /x", "1000-2000 r-xp 00000000 08:01 ",
        "1000 2000 r-xp 00000000 08:01 7 /x"}) {
    EXPECT_FALSE(parse_maps_line(line)) << line;
  }
}

}  // namespace
}  // namespace pyprof::process
