// SPDX-License-Identifier: Apache-2.0
#include "userspace/elf/dwarf_lines.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "tests/userspace/elf/files.h"
#include "userspace/elf/elf_file.h"
#include "userspace/elf/symbols.h"

namespace pyprof::elf {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProgram = R"(#include <algorithm>
#include <string>
#include <vector>
volatile int sink;
namespace deep {
static inline __attribute__((always_inline)) int innermost(int x) {
  sink = x;
  return x * 3 + sink;
}
struct Middle {
  __attribute__((always_inline)) int step(int x) {
    int y = innermost(x);
    return y + innermost(y);
  }
};
template <typename T> __attribute__((noinline)) T outer(T x) {
  Middle m;
  T sum = 0;
  for (T i = 0; i < x; i++) sum += m.step(i);
  return sum;
}
}
int main(int argc, char **argv) {
  std::vector<std::string> words(argv, argv + argc);
  std::sort(words.begin(), words.end());
  return deep::outer<int>(argc) + deep::outer<long>(argc) + (int)words[0].size();
}
)";

class DwarfLinesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "pyprof-dwarf-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    std::ofstream(directory_ / "p.cpp") << kProgram;
  }
  void TearDown() override { fs::remove_all(directory_); }

  bool run(const std::string& command) const {
    const std::string all = "cd " + testing::quoted(directory_.string()) + " && " + command;
    return std::system(all.c_str()) == 0;
  }
  Result<DwarfFile> open(const std::string& name) const {
    return DwarfFile::open(Fd(::open((directory_ / name).c_str(), O_RDONLY | O_CLOEXEC)));
  }
  // Addresses in all functions of the file.
  std::vector<uint64_t> addresses(const std::string& name) const {
    const auto file = ElfFile::open_path((directory_ / name).string());
    std::vector<uint64_t> found;
    for (const Symbol& symbol : file->symbols(10'000)) {
      if (symbol.type != 2) continue;
      for (uint64_t at = 0; at < std::min<uint64_t>(symbol.bytes, 400); at += 3)
        found.push_back(symbol.address + at);
    }
    return found;
  }

  fs::path directory_;
};

// "function file:line", innermost first, as addr2line prints them.
std::vector<std::string> shown(const std::vector<SourceFrame>& frames) {
  std::vector<std::string> lines;
  for (const SourceFrame& frame : frames) {
    const std::string line = frame.line == 0 ? "?" : std::to_string(frame.line);
    lines.push_back(frame.function);
    lines.push_back(fs::path(frame.file).lexically_normal().string() + ":" + line);
  }
  return lines;
}

// What addr2line -i -f says of each address.
std::vector<std::vector<std::string>> addr2line(const std::string& path, const fs::path& list,
                                                const std::vector<uint64_t>& addresses) {
  std::ofstream text(list);
  for (const uint64_t address : addresses)
    text << std::hex << address << "\n";
  text.close();
  std::vector<std::vector<std::string>> all;
  for (auto line : testing::output_lines("addr2line -a -i -f -e " + testing::quoted(path) + " < " +
                                         testing::quoted(list.string()))) {
    line = line.substr(0, line.find(" (discriminator"));
    if (line.starts_with("0x")) {
      all.emplace_back();
    } else {
      const bool place = !line.starts_with("?") && line.find('/') == 0;
      all.back().push_back(place ? fs::path(line).lexically_normal().string() : line);
    }
  }
  return all;
}

enum class Compare { kAllFrames, kEnds };

bool agree(const std::vector<std::string>& ours, const std::vector<std::string>& truth,
           Compare compare) {
  if (compare == Compare::kAllFrames || ours.empty()) return ours == truth;
  return ours[1] == truth[1] && ours[ours.size() - 2] == truth[truth.size() - 2];
}

void expect_agreement(DwarfFile& file, const std::string& path, const fs::path& list,
                      const std::vector<uint64_t>& addresses, Compare compare) {
  const auto truth = addr2line(path, list, addresses);
  ASSERT_EQ(truth.size(), addresses.size());
  std::size_t asked = 0;
  std::size_t equal = 0;
  std::size_t inlined = 0;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (truth[i].size() < 2 || truth[i].back().find(":?") != std::string::npos ||
        truth[i][1].starts_with("??"))
      continue;
    ++asked;
    const auto ours = shown(file.find(addresses[i]));
    inlined += ours.size() > 2 ? 1 : 0;
    if (agree(ours, truth[i], compare)) {
      ++equal;
    } else if (asked - equal < 4) {
      std::cout << std::hex << addresses[i] << std::dec << ": " << ::testing::PrintToString(ours)
                << " where addr2line has " << ::testing::PrintToString(truth[i]) << "\n";
    }
  }
  std::cout << path << ": " << equal << " of " << asked << " addresses as addr2line has them, "
            << inlined << " with inlined functions\n";
  EXPECT_GT(asked, 100u);
  EXPECT_GT(inlined, 20u);
  EXPECT_GE(static_cast<double>(equal), 0.98 * static_cast<double>(asked));
}

TEST_F(DwarfLinesTest, agrees_with_addr2line) {
  for (const std::string flags : {"-gdwarf-5", "-gdwarf-4", "-gdwarf-5 -gz", "-gdwarf-5 -no-pie"}) {
    ASSERT_TRUE(run("g++ -std=c++17 -O2 " + flags + " -o p p.cpp"));
    auto file = open("p");
    ASSERT_TRUE(file.ok()) << file.error().message;
    expect_agreement(*file, (directory_ / "p").string(), directory_ / "list", addresses("p"),
                     Compare::kAllFrames);
  }
}

// binutils 2.40 misses the inlined functions that have several ranges in clang's DWARF 5: only the
// innermost line and the outermost function are compared.
TEST_F(DwarfLinesTest, reads_what_clang_writes_without_address_ranges) {
  const bool built = run("clang++-16 -std=c++17 -O2 -g -o p p.cpp 2>/dev/null") ||
                     run("clang++ -std=c++17 -O2 -g -o p p.cpp 2>/dev/null");
  if (!built) GTEST_SKIP() << "no clang++ on this machine";
  auto file = open("p");
  ASSERT_TRUE(file.ok()) << file.error().message;
  expect_agreement(*file, (directory_ / "p").string(), directory_ / "list", addresses("p"),
                   Compare::kEnds);
}

TEST_F(DwarfLinesTest, separate_debug_files_do_as_well) {
  ASSERT_TRUE(run("g++ -std=c++17 -O2 -g -o p p.cpp && objcopy --only-keep-debug p p.debug"));
  auto whole = open("p");
  auto apart = open("p.debug");
  ASSERT_TRUE(whole.ok() && apart.ok());
  for (const uint64_t address : addresses("p")) {
    EXPECT_EQ(shown(apart->find(address)), shown(whole->find(address))) << std::hex << address;
  }
}

TEST_F(DwarfLinesTest, inlined_functions_nest_and_have_lines_of_their_own) {
  ASSERT_TRUE(run("g++ -std=c++17 -O2 -g -o p p.cpp"));
  auto file = open("p");
  std::size_t nested = 0;
  for (const uint64_t address : addresses("p")) {
    const auto frames = file->find(address);
    if (frames.size() != 3 || frames[0].function != "innermost") continue;
    ++nested;
    EXPECT_EQ(demangle(frames[1].function), "deep::Middle::step(int)");
    EXPECT_TRUE(demangle(frames[2].function).find("deep::outer<") != std::string::npos);
    EXPECT_TRUE(frames[0].line >= 6 && frames[0].line <= 8) << frames[0].line;
    EXPECT_TRUE(frames[1].line == 12 || frames[1].line == 13) << frames[1].line;
    EXPECT_EQ(frames[2].line, 19u);
    EXPECT_EQ(frames[0].first_line, 6u);
    EXPECT_EQ(frames[2].first_line, 16u);
    EXPECT_EQ(frames[2].file, (directory_ / "p.cpp").string());
  }
  EXPECT_GT(nested, 3u);
}

TEST_F(DwarfLinesTest, files_without_debug_information_are_refused) {
  ASSERT_TRUE(run("g++ -g0 -O1 -s -o p p.cpp"));
  EXPECT_FALSE(open("p").ok());
  EXPECT_FALSE(open("p.cpp").ok());
  EXPECT_FALSE(DwarfFile::open(Fd()).ok());
}

}  // namespace
}  // namespace pyprof::elf
