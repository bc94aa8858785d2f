// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/source_lines.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/userspace/symbolize/fixtures.h"
#include "userspace/symbolize/line_child.h"

namespace pyprof::symbolize {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kPatience = 20 * kSecond;

class SourceLinesTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = (fs::temp_directory_path() / "pyprof-lines-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    std::ofstream(directory_ / "p.c")
        << "volatile int sink;\n"
           "static inline __attribute__((always_inline)) void in(int x) {\n"
           "  sink = x;\n"
           "}\n"
           "int main(int c, char **v) {\n"
           "  in(c);\n"
           "  return 0;\n"
           "}\n";
    const std::string at = "cd '" + directory_.string() + "' && ";
    ASSERT_EQ(std::system((at + "gcc -g -O1 -o p p.c && gcc -g0 -o bare p.c").c_str()), 0);
    const auto file = elf::ElfFile::open_path((directory_ / "p").string());
    main_ = file->find_symbol("main")->address;
  }
  static void TearDownTestSuite() { fs::remove_all(directory_); }

  void SetUp() override {
    opener_.files[1].lines_path = (directory_ / "p").string();
    opener_.files[2].lines_path = (directory_ / "bare").string();
    lines_.emplace(opener_);
  }
  // After it was waited for.
  std::vector<elf::SourceFrame> answer(model::FileId file, uint64_t address) {
    lines_->find(file, address, kSecond);
    lines_->wait(kSecond, kPatience);
    const auto found = lines_->find(file, address, kSecond);
    EXPECT_FALSE(found.pending);
    return found.frames ? *found.frames : std::vector<elf::SourceFrame>{};
  }

  // A pid of -1 would mean every process of the machine.
  void signal_child(pid_t child, int signal) {
    ASSERT_GT(child, 1);
    ASSERT_EQ(::kill(child, signal), 0);
  }

  static inline fs::path directory_;
  static inline uint64_t main_ = 0;
  FakeOpener opener_;
  std::optional<SourceLines> lines_;
};

TEST_F(SourceLinesTest, an_answer_comes_from_the_child) {
  EXPECT_TRUE(lines_->find(1, main_, kSecond).pending);
  const uint64_t version = lines_->version();
  const auto frames = answer(1, main_);
  EXPECT_NE(lines_->version(), version);
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames.back().function, "main");
  EXPECT_EQ(frames.back().file, (directory_ / "p.c").string());
  EXPECT_GT(lines_->child(), 0);
  bool inlined = false;
  for (uint64_t at = main_; at < main_ + 16; ++at) {
    const auto here = answer(1, at);
    if (here.size() == 2)
      inlined = here[0].function == "in" && here[0].line == 3 && here[1].line == 6;
  }
  EXPECT_TRUE(inlined);
}

TEST_F(SourceLinesTest, it_comes_from_a_process_with_many_descriptors_too) {
  std::vector<Fd> open;
  for (int i = 0; i < 200; ++i)
    open.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(answer(1, main_).empty());
}

TEST_F(SourceLinesTest, files_without_debug_information_have_none) {
  EXPECT_TRUE(answer(2, main_).empty());
  const auto unknown = lines_->find(3, main_, kSecond);
  EXPECT_FALSE(unknown.pending);
  EXPECT_TRUE(unknown.frames->empty());
  EXPECT_EQ(lines_->stats().deaths, 0u);
}

TEST_F(SourceLinesTest, a_file_that_kills_the_child_costs_its_own_lines_only) {
  answer(1, main_);
  const pid_t first = lines_->child();
  ASSERT_NO_FATAL_FAILURE(signal_child(first, SIGSTOP));
  lines_->find(2, 5, kSecond);
  lines_->find(1, main_ + 4, kSecond);
  ASSERT_NO_FATAL_FAILURE(signal_child(first, SIGKILL));
  lines_->wait(kSecond, kPatience);
  EXPECT_EQ(lines_->stats().deaths, 1u);
  EXPECT_NE(lines_->child(), first);
  EXPECT_TRUE(lines_->find(2, 5, kSecond).frames->empty());
  EXPECT_EQ(lines_->find(1, main_ + 4, kSecond).frames->back().function, "main");
}

TEST_F(SourceLinesTest, a_child_that_hangs_is_ended) {
  answer(1, main_);
  ASSERT_NO_FATAL_FAILURE(signal_child(lines_->child(), SIGSTOP));
  EXPECT_TRUE(lines_->find(1, main_ + 4, 2 * kSecond).pending);
  lines_->refresh(5 * kSecond);
  EXPECT_TRUE(lines_->find(1, main_ + 4, 5 * kSecond).pending);
  lines_->refresh(60 * kSecond);
  EXPECT_TRUE(lines_->find(1, main_ + 4, 60 * kSecond).frames->empty());
  EXPECT_EQ(lines_->stats().deaths, 1u);
}

TEST_F(SourceLinesTest, after_too_many_deaths_there_are_no_lines) {
  SourceLineLimits limits;
  limits.deaths = 2;
  for (model::FileId file = 10; file < 14; ++file)
    opener_.files[file].lines_path = (directory_ / "p").string();
  lines_.emplace(opener_, limits);
  for (model::FileId file = 10; file < 14; ++file) {
    lines_->find(file, main_, kSecond);
    if (lines_->child() > 1) signal_child(lines_->child(), SIGKILL);
    lines_->wait(kSecond, kPatience);
  }
  EXPECT_LE(lines_->stats().deaths, 2u);
  EXPECT_FALSE(lines_->find(13, main_, kSecond).pending);
}

TEST_F(SourceLinesTest, large_files_are_not_looked_at) {
  SourceLineLimits limits;
  limits.file_bytes = 100;
  lines_.emplace(opener_, limits);
  EXPECT_FALSE(lines_->find(1, main_, kSecond).pending);
  EXPECT_EQ(lines_->child(), -1);
}

TEST_F(SourceLinesTest, remembered_addresses_are_bounded) {
  SourceLineLimits limits;
  limits.addresses = 10;
  lines_.emplace(opener_, limits);
  for (uint64_t i = 0; i < 50; ++i)
    lines_->find(1, main_ + i, kSecond);
  EXPECT_EQ(lines_->stats().lost, 40u);
  lines_->wait(kSecond, kPatience);
  EXPECT_FALSE(answer(1, main_).empty()) << "they were forgotten once the child was done";
}

TEST_F(SourceLinesTest, the_child_has_no_privileges_and_no_files) {
  answer(1, main_);
  const std::string base = "/proc/" + std::to_string(lines_->child());
  std::ifstream status(base + "/status");
  std::string capabilities, seccomp;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapEff:")) capabilities = line.substr(8);
    if (line.starts_with("Seccomp:")) seccomp = line.substr(9);
  }
  EXPECT_EQ(seccomp, "2");
  if (::geteuid() != 0) return;
  EXPECT_EQ(capabilities, "0000000000000000");
  for (const auto& entry : fs::directory_iterator(base + "/fd")) {
    const std::string target = fs::read_symlink(entry.path()).string();
    EXPECT_TRUE(target == "/dev/null" || target.starts_with("socket:") ||
                target == (directory_ / "p").string())
        << target;
  }
}

TEST(LineAnswerTest, reads_back_what_was_written) {
  LineAnswer answer{{7, 0, 0x1234}, {{"f(int)", "/a.c", 3, 1}, {"", "", 0, 0}}};
  const std::string packet = encode(answer);
  const auto back = decode_answer(packet);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->question.address, 0x1234u);
  ASSERT_EQ(back->frames.size(), 2u);
  EXPECT_EQ(back->frames[0].function, "f(int)");
  EXPECT_EQ(back->frames[0].file, "/a.c");
  EXPECT_EQ(back->frames[0].line, 3u);
}

TEST(LineAnswerTest, anything_else_is_refused) {
  const std::string packet = encode({{7, 0, 1}, {{"function", "file", 3, 1}}});
  for (std::size_t bytes = 0; bytes < packet.size(); ++bytes) {
    if (bytes == sizeof(LineQuestion)) continue;  // an answer without frames
    EXPECT_FALSE(decode_answer(std::span(packet).first(bytes)).has_value()) << bytes;
  }
  EXPECT_FALSE(decode_answer(std::string(30'000, '\0')).has_value()) << "too many frames";
  LineAnswer deep{{7, 0, 1}, std::vector<elf::SourceFrame>(5'000, {"f", "a.c", 1, 1})};
  EXPECT_EQ(decode_answer(encode(deep))->frames.size(), kMaxAnswerFrames);
}

}  // namespace
}  // namespace pyprof::symbolize
