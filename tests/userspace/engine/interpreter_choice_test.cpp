// SPDX-License-Identifier: Apache-2.0
#include "userspace/engine/interpreter_choice.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace pyprof::engine {
namespace {

// This process stands in for one with several interpreters: `heads` are their lists.
class InterpreterChoiceTest : public testing::Test {
 protected:
  static constexpr std::size_t kCount = 3;

  void SetUp() override {
    for (std::size_t i = 0; i < kCount; ++i) {
      files_[i].runtime_address = 16;
      files_[i].runtime.interpreters_head = 8;
      candidates_.push_back({&files_[i], reinterpret_cast<uint64_t>(&heads_[i]) - 24});
    }
  }
  InterpreterChoice choose() { return choose_interpreter(::getpid(), candidates_); }

  uint64_t heads_[kCount] = {};
  python::InterpreterFile files_[kCount];
  std::vector<InterpreterCandidate> candidates_;
};

TEST_F(InterpreterChoiceTest, takes_the_one_that_is_initialised) {
  heads_[1] = 0x1000;
  EXPECT_EQ(choose(), (InterpreterChoice{1, 1}));
  EXPECT_EQ(others_text(choose()), "");
}

TEST_F(InterpreterChoiceTest, takes_the_lowest_while_none_is) {
  EXPECT_EQ(choose(), (InterpreterChoice{0, 0}));
  files_[0].unsupported = "too old";
  EXPECT_EQ(choose(), (InterpreterChoice{1, 0}));
}

TEST_F(InterpreterChoiceTest, says_when_several_run) {
  heads_[1] = heads_[2] = 0x1000;
  EXPECT_EQ(choose(), (InterpreterChoice{1, 2}));
  EXPECT_NE(others_text(choose()).find("2 interpreters"), std::string::npos);
}

TEST_F(InterpreterChoiceTest, reads_nothing_where_there_is_no_choice) {
  candidates_.resize(1);
  heads_[0] = 0x1000;
  EXPECT_EQ(choose(), InterpreterChoice{});
}

TEST_F(InterpreterChoiceTest, survives_addresses_of_nothing_and_long_lists) {
  candidates_[1].bias = ~uint64_t{0} - 64;
  candidates_.resize(100, candidates_[0]);
  heads_[2] = 0x1000;
  EXPECT_EQ(choose().index, 2u);
}

}  // namespace
}  // namespace pyprof::engine
