// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/image_header.h"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "tests/userspace/elf/files.h"

namespace pyprof::elf {
namespace {

Fd file_of(const std::vector<uint8_t>& bytes) {
  Fd fd(::memfd_create("image", MFD_CLOEXEC));
  EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return fd;
}

TEST(ImageHeaderTest, agrees_with_the_whole_file_for_installed_programs) {
  constexpr std::size_t kEnough = 100;
  std::size_t compared = 0;
  for (const auto& path : testing::programs(2 << 20)) {
    if (compared == kEnough) break;
    const auto whole = ElfFile::open_path(path);
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const auto header = read_image_header(fd.get());
    ASSERT_EQ(header.ok(), whole.ok()) << path;
    if (!whole) continue;
    ++compared;
    EXPECT_EQ(header->build_id, whole->build_id()) << path;
    ASSERT_EQ(header->segments.size(), whole->segments().size()) << path;
    for (std::size_t i = 0; i < header->segments.size(); ++i) {
      EXPECT_EQ(header->segments[i].address, whole->segments()[i].address);
      EXPECT_EQ(header->segments[i].offset, whole->segments()[i].offset);
      EXPECT_EQ(header->segments[i].file_bytes, whole->segments()[i].file_bytes);
      EXPECT_EQ(header->segments[i].executable, whole->segments()[i].executable);
    }
  }
  EXPECT_GT(compared, 10u);
}

TEST(ImageHeaderTest, survives_any_cut_and_any_damaged_header) {
  auto bytes = testing::read_bytes(testing::own_path());
  bytes.resize(4096);
  for (std::size_t keep = 0; keep < 2048; keep += 7) {
    const auto cut = read_image_header(file_of({bytes.begin(), bytes.begin() + keep}).get());
    EXPECT_EQ(cut.ok(), keep >= sizeof(Elf64_Ehdr));
  }
  for (std::size_t at = sizeof(Elf64_Ehdr); at < 1024; ++at) {
    auto damaged = bytes;
    damaged[at] = 0xff;
    [[maybe_unused]] const auto read = read_image_header(file_of(damaged).get());
  }
  auto far = bytes;
  Elf64_Ehdr header;
  std::memcpy(&header, far.data(), sizeof(header));
  header.e_phoff = ~uint64_t{0} - 8;
  header.e_phnum = 0xffff;
  std::memcpy(far.data(), &header, sizeof(header));
  const auto read = read_image_header(file_of(far).get());
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->segments.empty());
}

}  // namespace
}  // namespace pyprof::elf
