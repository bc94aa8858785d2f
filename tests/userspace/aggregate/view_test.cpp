// SPDX-License-Identifier: Apache-2.0
#include "userspace/aggregate/view.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/userspace/aggregate/profile_maker.h"
#include "userspace/aggregate/frame_text.h"
#include "userspace/aggregate/summary.h"

namespace pyprof::aggregate {
namespace {

using model::FrameKind;

// One process: C code between Python frames, a thread that never runs Python, a cut stack.
class ViewTest : public testing::Test {
 protected:
  ViewTest() {
    const uint32_t process = maker_.process(1, "app");
    thread_ = maker_.thread(process, 1, "app");
    const uint32_t module = maker_.module("/bin/app");
    start_ = maker_.native("_start", module, 1);
    eval_ = maker_.native("eval", module, 2, FrameKind::kInterpreter);
    sort_ = maker_.native("sort", module, 3);
    outer_ = maker_.python("outer", "a.py", 1);
    inner_ = maker_.python("inner", "a.py", 2);
    read_ = maker_.kernel("read", 4);
    cut_ = maker_.marker("[truncated: native_no_rule]");
  }

  // The stacks of the view, root first, with their counts.
  std::vector<std::string> shown(const ViewOptions& options) {
    const model::Profile profile = apply_view(maker_.profile(), options);
    std::vector<std::string> lines;
    for (const model::Sample& sample : profile.samples) {
      std::string line;
      const auto& frames = profile.stacks[sample.stack].frames;
      for (auto it = frames.rbegin(); it != frames.rend(); ++it) {
        line += function_text(profile.frames[*it]) + " ";
      }
      lines.push_back(line + std::to_string(sample.count));
    }
    return lines;
  }

  test::ProfileMaker maker_;
  uint32_t thread_, start_, eval_, sort_, outer_, inner_, read_, cut_;
};

using Lines = std::vector<std::string>;

TEST_F(ViewTest, DefaultHidesTheInterpreterAndWhatStartedIt) {
  maker_.sample(thread_, {start_, eval_, outer_, eval_, sort_, eval_, inner_, eval_, sort_, read_},
                5);
  EXPECT_EQ(shown({}), Lines{"outer sort inner sort read 5"});
}

TEST_F(ViewTest, DefaultShowsAllOfAStackWithoutPython) {
  maker_.sample(thread_, {start_, eval_, sort_, read_}, 5);
  EXPECT_EQ(shown({}), Lines{"_start eval sort read 5"});
}

TEST_F(ViewTest, NativeShowsEverything) {
  maker_.sample(thread_, {start_, eval_, outer_, eval_, sort_}, 5);
  EXPECT_EQ(shown({true, false}), Lines{"_start eval outer eval sort 5"});
}

TEST_F(ViewTest, PythonOnlyShowsPythonOrSaysThatThereIsNone) {
  maker_.sample(thread_, {start_, eval_, outer_, eval_, inner_, sort_, read_}, 5);
  maker_.sample(thread_, {start_, sort_}, 2);
  maker_.sample(thread_, {sort_, read_}, 1);
  EXPECT_EQ(shown({true, true}), (Lines{"outer inner 5", "[no Python frame] 3"}));
}

TEST_F(ViewTest, MarkersStay) {
  maker_.sample(thread_, {cut_, start_, outer_, sort_}, 1);
  EXPECT_EQ(shown({}), Lines{"[truncated: native_no_rule] outer sort 1"});
  EXPECT_EQ(shown({false, true}), Lines{"[truncated: native_no_rule] outer 1"});
}

TEST_F(ViewTest, MergesStacksThatBecameEqualAndKeepsSums) {
  maker_.sample(thread_, {start_, outer_, eval_}, 2);
  maker_.sample(thread_, {outer_}, 3);
  const uint32_t other = maker_.thread(0, 2, "other");
  maker_.sample(other, {eval_, outer_}, 4);
  EXPECT_EQ(shown({}), (Lines{"outer 5", "outer 4"}));
  EXPECT_EQ(summarize(apply_view(maker_.profile(), {})).weight_ns, 9 * 10'000'000U);
}

}  // namespace
}  // namespace pyprof::aggregate
