// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/model/profile.h"

// Profiles made of what a file says.
namespace pyprof::importer {

// Whose samples they are, as far as the file says.
struct ThreadName {
  int32_t pid = 0;
  int32_t tid = 0;
  std::string comm;
  std::string python_name;
  std::string container;  // its id
};

// Holds each module, frame, stack and thread once. Not thread-safe.
class ProfileMaker {
 public:
  // For Frame::module.
  uint32_t module(const std::string& path, const std::string& build_id);
  // For add().
  uint32_t frame(model::Frame frame);
  uint32_t thread(const ThreadName& name);

  // `frames` are innermost first.
  void add(uint32_t thread, std::span<const uint32_t> frames, uint64_t count, uint64_t weight_ns,
           const model::Labels& labels = {});

  // What the file says of the whole; the maker fills in the tables.
  model::Profile& head() { return profile_; }

  // kNoSamples if nothing was added. The maker is empty afterwards.
  Result<model::Profile> finish() &&;

 private:
  using FrameKey = std::tuple<model::FrameKind, std::string, std::string, uint32_t, uint32_t,
                              uint32_t, uint64_t, bool>;
  using ThreadKey = std::tuple<uint32_t, int32_t, std::string, std::string>;

  uint32_t process(const ThreadName& name);
  uint32_t labels(const model::Labels& labels);

  model::Profile profile_;
  std::map<std::pair<std::string, std::string>, uint32_t> modules_;
  std::map<FrameKey, uint32_t> frames_;
  std::map<std::vector<uint32_t>, uint32_t> stacks_;
  std::map<std::pair<int32_t, std::string>, uint32_t> processes_;
  std::map<ThreadKey, uint32_t> threads_;
  std::map<std::tuple<uint32_t, uint32_t, uint32_t>, std::size_t> samples_;
};

}  // namespace pyprof::importer
