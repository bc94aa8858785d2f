// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/address_space.h"

#include <gtest/gtest.h>

#include <random>

#include "bpf/wire.h"

namespace pyprof::process {
namespace {

model::Mapping file_mapping(uint64_t start, uint64_t end, uint64_t inode, uint64_t offset = 0) {
  model::Mapping mapping;
  mapping.start = start;
  mapping.end = end;
  mapping.file_offset = offset;
  mapping.file = {1, inode, 0};
  mapping.path = "/lib" + std::to_string(inode);
  return mapping;
}

model::Mapping anonymous(uint64_t start, uint64_t end) {
  model::Mapping mapping;
  mapping.start = start;
  mapping.end = end;
  mapping.path = "//anon";
  return mapping;
}

std::string text(const AddressSpace& space) {
  std::string out;
  char line[96];
  for (const auto& range : space.ranges()) {
    std::snprintf(line, sizeof(line), "%lx-%lx@%lx:%lu ", range.mapping.start, range.mapping.end,
                  range.mapping.file_offset, range.mapping.file.inode);
    out += line;
  }
  return out;
}

TEST(AddressSpaceTest, a_new_mapping_cuts_what_it_overlaps) {
  AddressSpace space;
  EXPECT_TRUE(space.map(file_mapping(0x1000, 0x9000, 1, 0x100000), 10));
  EXPECT_TRUE(space.map(file_mapping(0x3000, 0x5000, 2), 20));
  EXPECT_EQ(text(space), "1000-3000@100000:1 3000-5000@0:2 5000-9000@104000:1 ");
  EXPECT_TRUE(space.map(file_mapping(0x2000, 0x6000, 3), 30));
  EXPECT_EQ(text(space), "1000-2000@100000:1 2000-6000@0:3 6000-9000@105000:1 ");
  EXPECT_TRUE(space.map(file_mapping(0x0, 0x10000, 4), 40));
  EXPECT_EQ(text(space), "0-10000@0:4 ");
}

TEST(AddressSpaceTest, the_same_mapping_again_is_no_change) {
  AddressSpace space;
  space.map(file_mapping(0x1000, 0x9000, 1), 10);
  EXPECT_FALSE(space.map(file_mapping(0x1000, 0x9000, 1), 20));
  EXPECT_FALSE(space.map(file_mapping(0x3000, 0x5000, 1, 0x2000), 30));
  EXPECT_TRUE(space.replaced().empty());
  EXPECT_TRUE(space.map(file_mapping(0x3000, 0x5000, 1), 40)) << "other part of the file";
  EXPECT_EQ(space.replaced().size(), 1U);
}

TEST(AddressSpaceTest, growing_mappings_of_one_file_or_of_none_replace_nothing) {
  AddressSpace space;
  space.map(file_mapping(0x1000, 0x2000, 1), 10);
  EXPECT_TRUE(space.map(file_mapping(0x1000, 0x4000, 1), 20));
  space.map(anonymous(0x8000, 0x9000), 30);
  EXPECT_TRUE(space.map(anonymous(0x8000, 0xa000), 40));
  EXPECT_TRUE(space.replaced().empty());
}

TEST(AddressSpaceTest, a_file_told_by_build_id_and_by_inode_is_one) {
  AddressSpace space;
  auto by_build_id = file_mapping(0x1000, 0x2000, 0);
  by_build_id.build_id = "abc";
  by_build_id.path = "/lib1";
  space.map(by_build_id, 10);
  EXPECT_FALSE(space.map(file_mapping(0x1000, 0x2000, 1), 20));
}

TEST(AddressSpaceTest, what_is_newer_stays) {
  AddressSpace space;
  space.map(file_mapping(0x3000, 0x4000, 2), 20);
  EXPECT_TRUE(space.map(file_mapping(0x1000, 0x9000, 1), 10));
  EXPECT_EQ(text(space), "1000-3000@0:1 3000-4000@0:2 4000-9000@3000:1 ");
  EXPECT_FALSE(space.map(file_mapping(0x3000, 0x3800, 1), 10));
}

TEST(AddressSpaceTest, a_scan_removes_what_it_did_not_see_but_nothing_newer) {
  AddressSpace space;
  space.map(file_mapping(0x1000, 0x2000, 1), 10);
  space.map(file_mapping(0x3000, 0x4000, 2), 10);
  space.map(file_mapping(0x8000, 0x9000, 3), 30);
  EXPECT_TRUE(
      space.merge_scan({file_mapping(0x1000, 0x2000, 1), file_mapping(0x5000, 0x6000, 4)}, 20));
  EXPECT_EQ(text(space), "1000-2000@0:1 5000-6000@0:4 8000-9000@0:3 ");
  EXPECT_FALSE(
      space.merge_scan({file_mapping(0x1000, 0x2000, 1), file_mapping(0x5000, 0x6000, 4)}, 25));
}

TEST(AddressSpaceTest, finds_what_lay_there_at_the_time) {
  AddressSpace space;
  space.map(file_mapping(0x1000, 0x3000, 1), 10);
  space.map(file_mapping(0x2000, 0x4000, 2), 20);
  space.map(file_mapping(0x2000, 0x4000, 3), 30);
  const auto inode_at = [&](uint64_t pc, uint64_t time_ns) {
    const auto* range = space.find(pc, time_ns);
    return range == nullptr ? 0 : range->mapping.file.inode;
  };
  EXPECT_EQ(inode_at(0x2800, 15), 1U);
  EXPECT_EQ(inode_at(0x2800, 20), 2U);
  EXPECT_EQ(inode_at(0x2800, 29), 2U);
  EXPECT_EQ(inode_at(0x2800, 30), 3U);
  EXPECT_EQ(inode_at(0x1800, 30), 1U);
  EXPECT_EQ(inode_at(0x3fff, 40), 3U);
  EXPECT_EQ(inode_at(0x4000, 40), 0U);
  EXPECT_EQ(inode_at(0xfff, 40), 0U);
  EXPECT_TRUE(space.replaced_between(0x2800, 10, 20));
  EXPECT_FALSE(space.replaced_between(0x2800, 20, 29));
  EXPECT_FALSE(space.replaced_between(0x1800, 0, 99));
}

TEST(AddressSpaceTest, keeps_to_its_caps) {
  AddressSpace space;
  for (uint64_t i = 0; i < 2 * WIRE_MAX_MAPPINGS; ++i) {
    space.map(file_mapping(i * 0x2000, i * 0x2000 + 0x1000, 1), i);
  }
  EXPECT_EQ(space.ranges().size(), static_cast<std::size_t>(WIRE_MAX_MAPPINGS));
  EXPECT_EQ(space.dropped(), static_cast<uint64_t>(WIRE_MAX_MAPPINGS));
  for (uint64_t i = 0; i < 1000; ++i) {
    space.map(file_mapping(i * 0x2000 + 0x400, i * 0x2000 + 0x800, 2), 99999 + i);
  }
  EXPECT_EQ(space.ranges().size(), static_cast<std::size_t>(WIRE_MAX_MAPPINGS));
  EXPECT_EQ(space.replaced().size(), AddressSpace::kMaxReplaced);
}

// The truth is an array with one entry per page.
TEST(AddressSpaceTest, agrees_with_a_page_array_on_random_mappings) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    AddressSpace space;
    std::vector<std::pair<uint64_t, uint64_t>> pages(64);  // inode and file offset
    for (uint64_t time_ns = 1; time_ns <= 40; ++time_ns) {
      const uint64_t start = random() % 64;
      const uint64_t end = start + 1 + random() % (64 - start);
      const uint64_t inode = 1 + random() % 3;
      const uint64_t offset = random() % 2 * 0x40000;
      space.map(file_mapping(start * 0x1000, end * 0x1000, inode, offset), time_ns);
      for (auto page = start; page < end; ++page) {
        pages[page] = {inode, offset + (page - start) * 0x1000};
      }
    }
    for (uint64_t page = 0; page < 64; ++page) {
      const auto* range = space.find(page * 0x1000 + 5, 1000);
      if (range == nullptr) {
        EXPECT_EQ(pages[page].first, 0U);
        continue;
      }
      const auto& mapping = range->mapping;
      EXPECT_EQ(mapping.file.inode, pages[page].first);
      EXPECT_EQ(page * 0x1000 - mapping.start + mapping.file_offset, pages[page].second);
    }
    const auto& ranges = space.ranges();
    for (std::size_t i = 1; i < ranges.size(); ++i) {
      EXPECT_LE(ranges[i - 1].mapping.end, ranges[i].mapping.start);
    }
  }
}

}  // namespace
}  // namespace pyprof::process
