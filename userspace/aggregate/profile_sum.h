// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "userspace/model/profile.h"

// Several windows as one profile: what a live view has seen since it began. Each module, frame,
// stack and thread is held once. Not thread-safe.
namespace pyprof::aggregate {

class ProfileSum {
 public:
  struct Limits {
    std::size_t rows = 50'000;     // distinct (thread, stack, labels)
    std::size_t threads = 10'000;  // distinct, over all windows
  };

  ProfileSum() : ProfileSum(Limits{}) {}
  explicit ProfileSum(const Limits& limits) : limits_(limits) {}

  // Over a limit a sample counts for the thread and the stack "[other]", so that sums stay whole;
  // the fault "live_limit" of the sum's quality counts these.
  void add(const model::Profile& part);

  // The window is as long as all of the parts together and begins with the first one.
  [[nodiscard]] const model::Profile& profile() const { return sum_; }

 private:
  using FrameKey = std::tuple<model::FrameKind, std::string, std::string, uint32_t, uint32_t,
                              uint32_t, uint64_t, bool>;
  using LabelKey = std::tuple<model::Gil, model::Gc, int32_t, bool, std::string, model::Import>;
  using SampleKey = std::tuple<uint32_t, uint32_t, uint32_t>;

  void add_head(const model::Profile& part);
  void add_quality(const model::Quality& part);
  uint32_t process(const model::ProcessInfo& info);
  uint32_t thread(const model::Profile& part, const model::Thread& one);
  uint32_t frame(const model::Profile& part, const model::Frame& one);
  uint32_t stack(std::vector<uint32_t> frames);
  uint32_t labels(const model::Profile& part, uint32_t of_sample);
  void add_sample(const SampleKey& key, const model::Sample& one);
  uint32_t other_thread();
  uint32_t other_frame();
  uint32_t other_stack();

  const Limits limits_;
  model::Profile sum_;
  std::map<std::pair<model::ProcessId, int32_t>, uint32_t> processes_;
  std::map<std::pair<model::ProcessId, int32_t>, uint32_t> threads_;
  std::map<std::pair<std::string, std::string>, uint32_t> modules_;
  std::map<FrameKey, uint32_t> frames_;
  std::map<std::vector<uint32_t>, uint32_t> stacks_;
  std::map<LabelKey, uint32_t> labels_;
  std::map<SampleKey, std::size_t> samples_;
};

}  // namespace pyprof::aggregate
